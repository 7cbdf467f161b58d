// The one question that the policy asks of the host: what is behind a bind source? An interface, so
// that evaluation stays a pure function of its arguments and can be fuzzed.
#pragma once

#include <string>

#include "base/result.h"

namespace tidewaiter::policy {

class HostPaths {
 public:
  virtual ~HostPaths() = default;

  // Succeeds where the absolute, normalised `path` exists, is reached without a symbolic link, is a
  // regular file or a folder, and every folder on its way is owned by root or by this process and
  // writable by no one else (as sshd's StrictModes). Otherwise the error says which component fails
  // and why.
  [[nodiscard]] virtual Result<void> CheckTrusted(const std::string& path) const = 0;
};

}  // namespace tidewaiter::policy
