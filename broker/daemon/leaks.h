// What engine, journal and disk say of each other's things, compared. Pure: it works on what was
// read, touches nothing, and names a cause for each difference.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/strong_id.h"
#include "broker/journal/state_survey.h"
#include "broker/run/backend.h"
#include "broker/run/run_registry.h"

namespace tidewaiter::daemon {

// proto/tidewaiter/v1/broker.proto, "Leak", says what each member is. Every text is safe to print.
struct Leak {
  std::string kind, id, run_id, where, cause;
  friend bool operator==(const Leak&, const Leak&) = default;
};

// What was read. The runs last, kept ones included: whatever the others show was made by a run that
// was known by then.
struct LeakSurvey {
  BrokerId broker_id;
  std::string state_dir;
  std::map<std::string, Result<std::vector<run::Backend::Labelled>>> engines;  // by backend
  Result<journal::StateSurvey> state;
  std::vector<run::RunInfo> runs;
  std::vector<run::KeptInfo> kept;
};

// Foreign ones last.
std::vector<Leak> FindLeaks(const LeakSurvey& survey);

// Those of `first` that `second` has, too.
std::vector<Leak> InBoth(const std::vector<Leak>& first, const std::vector<Leak>& second);

}  // namespace tidewaiter::daemon
