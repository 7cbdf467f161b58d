// HostPaths of the host on which this process runs (base/trusted_path.h). Thread: any; asks the
// kernel, blocks only as long as a lookup does.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "policy/host_paths.h"

namespace tidewaiter::policy {

class TrustedHostPaths final : public HostPaths {
 public:
  // `kept`: absolute paths that no run may reach besides the built-in ones: the engine's socket and
  // the broker's own folders where the configuration puts them elsewhere. They, what is below and
  // what holds them are refused.
  // `own`: as whom the broker runs.
  explicit TrustedHostPaths(std::vector<std::string> kept = {}, uid_t own = ::geteuid())
      : kept_(std::move(kept)), own_(own) {}

  [[nodiscard]] Result<void> CheckTrusted(const std::string& path) const override;

 private:
  std::vector<std::string> kept_;
  uid_t own_;
};

}  // namespace tidewaiter::policy
