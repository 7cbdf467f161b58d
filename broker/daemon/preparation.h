// Everything that the broker reads before it opens anything: configuration, policy, profiles, and
// whether strangers could have written them. Shared by the start and by --check. Reads only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/config/broker_config.h"
#include "broker/config/ownership.h"
#include "policy/policy_set.h"

namespace tidewaiter::daemon {

struct Preparation {
  std::string config_path;
  config::BrokerConfig config;
  std::shared_ptr<const policy::PolicySet> policies;
  std::map<std::string, std::string> seccomp_profiles;  // name -> JSON
  // Forgiven by development mode; said at every start.
  std::vector<config::OwnershipFinding> forgiven;
};

// Told of each step in its order: its name, and its error or what was found.
using StepObserver = std::function<void(std::string_view step, const Result<std::string>& found)>;

// The first step that fails ends it. Errors: those of the files, whose text has a line per problem;
// PERMISSION_DENIED (UNTRUSTED_FILES) naming each file.
Result<Preparation> Prepare(const std::string& config_path, const StepObserver& observe = {});

}  // namespace tidewaiter::daemon
