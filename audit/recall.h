// What a log knows of runs whose broker did not live to tell: asked after a crash and in doubt.
// Thread: any, one call at a time.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "audit/record_reader.h"
#include "base/result.h"

namespace tidewaiter::audit {

struct RunStanding {
  bool admitted = false;
  bool finished = false;
  bool expired = false;
  // None was found, but the record that the run's mark names is not there, or not all that came
  // after it, so that they may have gone with those. Always so without a mark.
  bool unsure = false;

  // A record of that run.
  void Note(std::string_view type) noexcept;
};

// Adds to `standings` what is behind the oldest of the marks that `runs` have (LogStore::Mark from
// before their admission) and up to `end`. Errors as RecordReader::Next.
Result<void> RecallRuns(UniqueFd directory, const LogEnd& end,
                        const std::map<std::string, std::string>& runs,
                        std::map<std::string, RunStanding>& standings);

}  // namespace tidewaiter::audit
