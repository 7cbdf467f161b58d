#include "broker/config/ownership.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/printable.h"
#include "base/trusted_path.h"

namespace tidewaiter::config {
namespace {

// The object alone. A relaxed mode forgives a scratch folder under /tmp, never a file that others
// write to: the policy's own `mode` line could then be turned to "development" by anyone. A link is
// no better, since what it names is looked at by nobody. What is not there yet is forgivable.
bool NeverForgivable(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return errno != ENOENT;
  if (S_ISLNK(status.st_mode)) return true;
  const bool ours = status.st_uid == 0 || status.st_uid == ::geteuid();
  return !ours || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

class Inspection {
 public:
  void File(std::string what, const std::string& path) {
    Note(std::move(what), path, CheckTrustedFile(path));
  }

  void Folder(std::string what, const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 && errno == ENOENT) {
      const std::string parent = path.substr(0, path.rfind('/'));
      Note(std::move(what), path, CheckTrustedFolder(parent.empty() ? "/" : parent));
      return;
    }
    Note(std::move(what), path, CheckTrustedFolder(path));
  }

  std::vector<OwnershipFinding> Take() { return std::move(findings_); }

 private:
  void Note(std::string what, const std::string& path, const Result<void>& result) {
    if (result) return;
    findings_.push_back({std::move(what), path, result.error(), NeverForgivable(path)});
  }

  std::vector<OwnershipFinding> findings_;
};

}  // namespace

std::vector<OwnershipFinding> CheckOwnership(const std::string& config_path,
                                             const BrokerConfig& config) {
  Inspection inspection;
  inspection.File("configuration", config_path);
  inspection.File("policy", config.policy);
  if (::access(config.shadow_policy.c_str(), F_OK) == 0) {
    inspection.File("shadow policy", config.shadow_policy);
  }
  inspection.Folder("state folder", config.state_dir);
  inspection.Folder("audit folder", config.audit_dir);
  if (!config.registry.auth_file.empty()) {
    inspection.File("registry credentials", config.registry.auth_file);
  }
  if (!config.registry.ca_file.empty()) {
    inspection.File("registry certificates", config.registry.ca_file);
  }
  if (!config.audit.syslog_ca_file.empty()) {
    inspection.File("syslog certificates", config.audit.syslog_ca_file);
  }
  if (!config.audit.checkpoint_ca_file.empty()) {
    inspection.File("checkpoint certificates", config.audit.checkpoint_ca_file);
  }
  if (config.kubernetes && !config.kubernetes->kubeconfig.empty()) {
    inspection.File("kubeconfig", config.kubernetes->kubeconfig);
  }
  for (const auto& [name, path] : config.seccomp_profiles) {
    inspection.File(fmt::format("seccomp profile {}", Quoted(name)), path);
  }
  return inspection.Take();
}

}  // namespace tidewaiter::config
