#include "broker/daemon/preparation.h"

#include <fmt/format.h>

#include <utility>

#include "base/printable.h"
#include "base/trusted_path.h"

namespace tidewaiter::daemon {
namespace {

// Tells of a step and passes its value on.
template <typename T, typename Describe>
Result<T> Step(const StepObserver& observe, std::string_view name, Result<T> result,
               Describe describe) {
  if (observe) {
    if (result) {
      observe(name, Result<std::string>(describe(*result)));
    } else {
      observe(name, Result<std::string>(result.error()));
    }
  }
  return result;
}

Result<config::BrokerConfig> LoadConfig(const std::string& path) {
  if (!IsNormalPath(path)) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("read {}: an absolute path is wanted, without '.' or '..'", Quoted(path)));
  }
  TW_ASSIGN(const std::string text, config::ReadFile(path, config::kMaxFileBytes));
  return config::ParseBrokerConfig(text, path);
}

Result<std::shared_ptr<const policy::PolicySet>> LoadPolicies(const std::string& path) {
  TW_ASSIGN(const std::string text, config::ReadFile(path, config::kMaxFileBytes));
  return policy::PolicySet::Parse(text, path);
}

Result<std::map<std::string, std::string>> LoadProfiles(const config::BrokerConfig& config) {
  std::map<std::string, std::string> profiles;
  for (const auto& [name, path] : config.seccomp_profiles) {
    TW_ASSIGN(profiles[name], config::ReadFile(path, config::kMaxFileBytes));
  }
  return profiles;
}

Result<std::vector<config::OwnershipFinding>> JudgeOwnership(const Preparation& preparation) {
  std::vector<config::OwnershipFinding> findings =
      config::CheckOwnership(preparation.config_path, preparation.config);
  std::string refused;
  for (const config::OwnershipFinding& finding : findings) {
    if (preparation.policies->development() && !finding.always) continue;
    refused += fmt::format("{}{} {}: {}", refused.empty() ? "" : "\n", finding.what,
                           Quoted(finding.path), finding.error.message);
  }
  if (!refused.empty()) {
    return Fail(ErrorCode::kPermissionDenied, "trust files that others can change:\n" + refused,
                "UNTRUSTED_FILES");
  }
  return findings;
}

}  // namespace

Result<Preparation> Prepare(const std::string& config_path, const StepObserver& observe) {
  Preparation preparation{.config_path = config_path,
                          .config = {},
                          .policies = {},
                          .seccomp_profiles = {},
                          .forgiven = {}};
  TW_ASSIGN(preparation.config, Step(observe, "configuration", LoadConfig(config_path),
                                     [&](const auto&) { return config_path; }));
  TW_ASSIGN(
      preparation.policies,
      Step(observe, "policy", LoadPolicies(preparation.config.policy), [&](const auto& policies) {
        return fmt::format("{}, {}, {} principal(s), {}", preparation.config.policy,
                           policies->development() ? "development mode" : "production mode",
                           policies->principals().size(), policies->hash());
      }));
  TW_ASSIGN(preparation.forgiven,
            Step(observe, "ownership", JudgeOwnership(preparation), [](const auto& forgiven) {
              return forgiven.empty() ? std::string("only root and this user can change the files")
                                      : fmt::format("{} finding(s) forgiven by development mode",
                                                    forgiven.size());
            }));
  TW_ASSIGN(preparation.seccomp_profiles,
            Step(observe, "seccomp profiles", LoadProfiles(preparation.config),
                 [](const auto& profiles) { return fmt::format("{} read", profiles.size()); }));
  return preparation;
}

}  // namespace tidewaiter::daemon
