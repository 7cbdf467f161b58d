// Everything that the broker reads before it opens anything: configuration, policies, profiles,
// certificates, and whether strangers could have written them. Shared by the start, a reload and
// --check. Reads only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/config/broker_config.h"
#include "broker/config/ownership.h"
#include "broker/kubernetes/kubeconfig.h"
#include "broker/run/policies_in_force.h"

namespace tidewaiter::daemon {

struct Preparation {
  std::string config_path;
  config::BrokerConfig config;
  std::string config_hash;  // "sha256:HEX" of the bytes of that file
  run::Policies policies;
  std::map<std::string, std::string> seccomp_profiles;  // name -> JSON
  std::string ca_certificates;                          // PEM; empty: the system's alone
  std::string syslog_certificates;                      // likewise
  std::string checkpoint_certificates;                  // likewise
  std::optional<kubernetes::ClusterAccess> cluster;     // where a [kubernetes] is configured
  // Forgiven by development mode; said at every start.
  std::vector<config::OwnershipFinding> forgiven;
};

// Told of each step in its order: its name, and its error or what was found.
using StepObserver = std::function<void(std::string_view step, const Result<std::string>& found)>;

struct LoadedPolicies {
  run::Policies policies;
  std::vector<config::OwnershipFinding> forgiven;
};

// The policy files alone, and again whether all that the broker believes can be trusted: another
// mode judges that otherwise. All or nothing. Errors: INVALID_ARGUMENT (INVALID_FILE) with the
// problems of both files, a line each; the files' own; PERMISSION_DENIED (UNTRUSTED_FILES).
Result<LoadedPolicies> LoadPolicies(const std::string& config_path,
                                    const config::BrokerConfig& config,
                                    const StepObserver& observe = {});

// The first step that fails ends it. Errors: those of the files, whose text has a line per problem;
// PERMISSION_DENIED (UNTRUSTED_FILES) naming each file.
Result<Preparation> Prepare(const std::string& config_path, const StepObserver& observe = {});

}  // namespace tidewaiter::daemon
