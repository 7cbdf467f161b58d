// What lies in the state folder, for a person who asks: read beside the journal that is in use,
// and never changed. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/run/run_journal.h"

namespace tidewaiter::journal {

struct StateSurvey {
  struct RunFolder {
    std::string name;
    std::optional<run::JournalEntry> entry;  // empty where it cannot be read
  };
  std::vector<RunFolder> runs;
  struct KeptFolder {
    std::string name;
    BrokerId broker_id{};  // whose it is, where that can be read
    std::string fault{};   // why it cannot be believed; empty where it can
  };
  std::vector<KeptFolder> kept;
  struct SetAside {
    std::string name;
    std::string reason;  // as it was written down then, or empty
  };
  std::vector<SetAside> set_aside;
  std::vector<std::string> strangers;  // names that are none of the broker's
};

// Errors: errno's; RESOURCE_EXHAUSTED where a folder holds more than 100,000 names.
Result<StateSurvey> SurveyState(const std::string& state_dir);

}  // namespace tidewaiter::journal
