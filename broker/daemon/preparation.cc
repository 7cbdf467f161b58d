#include "broker/daemon/preparation.h"

#include <fmt/format.h>

#include <utility>

#include "audit/sha256.h"
#include "base/printable.h"
#include "base/trusted_path.h"
#include "broker/registry/ca_certificates.h"

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

struct LoadedConfig {
  config::BrokerConfig config;
  std::string hash;
};

Result<LoadedConfig> LoadConfig(const std::string& path) {
  if (!IsNormalPath(path)) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("read {}: an absolute path is wanted, without '.' or '..'", Quoted(path)));
  }
  TW_ASSIGN(const std::string text, config::ReadFile(path, config::kMaxFileBytes));
  TW_ASSIGN(config::BrokerConfig config, config::ParseBrokerConfig(text, path));
  return LoadedConfig{.config = std::move(config),
                      .hash = audit::ToString(audit::Sha256::Of(text))};
}

using PolicyPointer = std::shared_ptr<const policy::PolicySet>;

Result<PolicyPointer> LoadPolicy(const std::string& path) {
  TW_ASSIGN(const std::string text, config::ReadFile(path, config::kMaxFileBytes));
  return policy::PolicySet::Parse(text, path);
}

// Null where no file is there: an operator puts it there to try it.
Result<PolicyPointer> LoadShadow(const std::string& path) {
  Result<PolicyPointer> policy = LoadPolicy(path);
  if (!policy && policy.error().code == ErrorCode::kNotFound) return PolicyPointer();
  return policy;
}

std::string DescribePolicy(const std::string& path, const policy::PolicySet& policy) {
  return fmt::format("{}, {} mode, {} principal(s), {}", path,
                     policy.development() ? "development" : "production",
                     policy.principals().size(), policy.hash());
}

Result<std::map<std::string, std::string>> LoadProfiles(const config::BrokerConfig& config) {
  std::map<std::string, std::string> profiles;
  for (const auto& [name, path] : config.seccomp_profiles) {
    TW_ASSIGN(profiles[name], config::ReadFile(path, config::kMaxFileBytes));
  }
  return profiles;
}

struct LoadedCertificates {
  std::string pem;
  std::size_t count = 0;
};

Result<LoadedCertificates> LoadCertificates(std::string_view key, const std::string& path) {
  LoadedCertificates loaded;
  if (path.empty()) return loaded;
  TW_ASSIGN(loaded.pem, config::ReadFile(path, config::kMaxFileBytes));
  const Result<std::size_t> count = registry::CountCaCertificates(loaded.pem);
  if (!count) return count.error().Within(fmt::format("{} {}", key, Quoted(path)));
  loaded.count = *count;
  return loaded;
}

// Whoever can change what a kubeconfig names can pose as the cluster, or hand out its own rights. A
// pod's own files are the kubelet's, behind links of its making.
Result<void> CheckFilesOf(const kubernetes::ClusterAccess& access) {
  for (const std::string& path : access.files) {
    const Result<void> trusted = CheckTrustedFile(path);
    if (!trusted) {
      return Fail(ErrorCode::kPermissionDenied,
                  fmt::format("others could change {}, which the kubeconfig names: {}",
                              Quoted(path), trusted.error().message),
                  "UNTRUSTED_FILES");
    }
  }
  return Ok();
}

Result<kubernetes::ClusterAccess> LoadCluster(const config::KubernetesConfig& config,
                                              bool development) {
  TW_ASSIGN(kubernetes::ClusterAccess access,
            config.kubeconfig.empty() ? kubernetes::InClusterAccess()
                                      : kubernetes::LoadKubeconfig({.path = config.kubeconfig,
                                                                    .context = config.context}));
  if (development) return access;
  TW_TRY(kubernetes::CheckProduction(access));
  if (!config.kubeconfig.empty()) TW_TRY(CheckFilesOf(access));
  return access;
}

Result<std::vector<config::OwnershipFinding>> JudgeOwnership(const std::string& config_path,
                                                             const config::BrokerConfig& config,
                                                             bool development) {
  std::vector<config::OwnershipFinding> findings = config::CheckOwnership(config_path, config);
  std::string refused;
  for (const config::OwnershipFinding& finding : findings) {
    if (development && !finding.always) continue;
    refused += fmt::format("{}others could change the {} {}: {}", refused.empty() ? "" : "\n",
                           finding.what, Quoted(finding.path), finding.error.message);
  }
  if (!refused.empty()) {
    return Fail(ErrorCode::kPermissionDenied, refused, "UNTRUSTED_FILES");
  }
  return findings;
}

}  // namespace

Result<LoadedPolicies> LoadPolicies(const std::string& config_path,
                                    const config::BrokerConfig& config,
                                    const StepObserver& observe) {
  Result<PolicyPointer> enforced =
      Step(observe, "policy", LoadPolicy(config.policy),
           [&](const auto& policy) { return DescribePolicy(config.policy, *policy); });
  Result<PolicyPointer> shadow =
      Step(observe, "shadow policy", LoadShadow(config.shadow_policy), [&](const auto& policy) {
        return policy != nullptr ? DescribePolicy(config.shadow_policy, *policy)
                                 : fmt::format("no {}: none is tried", config.shadow_policy);
      });
  if (!enforced && !shadow) {
    return Fail(enforced.error().code, enforced.error().message + '\n' + shadow.error().message,
                enforced.error().reason);
  }
  if (!enforced) return enforced.error();
  if (!shadow) return shadow.error();
  TW_ASSIGN(
      std::vector<config::OwnershipFinding> forgiven,
      Step(observe, "ownership", JudgeOwnership(config_path, config, (*enforced)->development()),
           [](const auto& found) {
             return found.empty()
                        ? std::string("only root and this user can change the files")
                        : fmt::format("{} finding(s) forgiven by development mode", found.size());
           }));
  return LoadedPolicies{
      .policies = {.enforced = *std::move(enforced), .shadow = *std::move(shadow)},
      .forgiven = std::move(forgiven)};
}

Result<Preparation> Prepare(const std::string& config_path, const StepObserver& observe) {
  Preparation preparation{.config_path = config_path,
                          .config = {},
                          .config_hash = {},
                          .policies = {},
                          .seccomp_profiles = {},
                          .ca_certificates = {},
                          .syslog_certificates = {},
                          .checkpoint_certificates = {},
                          .cluster = {},
                          .forgiven = {}};
  TW_ASSIGN(LoadedConfig read, Step(observe, "configuration", LoadConfig(config_path),
                                    [&](const auto&) { return config_path; }));
  preparation.config = std::move(read.config);
  preparation.config_hash = std::move(read.hash);
  TW_ASSIGN(LoadedPolicies loaded, LoadPolicies(config_path, preparation.config, observe));
  preparation.policies = std::move(loaded.policies);
  preparation.forgiven = std::move(loaded.forgiven);
  TW_ASSIGN(preparation.seccomp_profiles,
            Step(observe, "seccomp profiles", LoadProfiles(preparation.config),
                 [](const auto& profiles) { return fmt::format("{} read", profiles.size()); }));
  const auto certificates = [&observe](std::string_view step, std::string_view key,
                                       const std::string& path, std::string& pem) -> Result<void> {
    TW_ASSIGN(LoadedCertificates found_there,
              Step(observe, step, LoadCertificates(key, path), [&](const auto& found) {
                return found.count == 0
                           ? std::string("the system's")
                           : fmt::format("the system's and {} of {}", found.count, path);
              }));
    pem = std::move(found_there.pem);
    return Ok();
  };
  TW_TRY(certificates("registry certificates", "[registry] ca_file",
                      preparation.config.registry.ca_file, preparation.ca_certificates));
  TW_TRY(certificates("syslog certificates", "[audit] syslog_ca_file",
                      preparation.config.audit.syslog_ca_file, preparation.syslog_certificates));
  TW_TRY(certificates("checkpoint certificates", "[audit] checkpoint_ca_file",
                      preparation.config.audit.checkpoint_ca_file,
                      preparation.checkpoint_certificates));
  if (preparation.config.kubernetes) {
    TW_ASSIGN(preparation.cluster, Step(observe, "cluster",
                                        LoadCluster(*preparation.config.kubernetes,
                                                    preparation.policies.enforced->development()),
                                        [](const auto& access) { return access.server; }));
  }
  return preparation;
}

}  // namespace tidewaiter::daemon
