#include "policy/trusted_host_paths.h"

#include <fmt/format.h>

#include "base/printable.h"
#include "base/trusted_path.h"
#include "policy/host_area.h"

namespace tidewaiter::policy {

Result<void> TrustedHostPaths::CheckTrusted(const std::string& path) const {
  for (const std::string& kept : kept_) {
    if (Overlap(path, kept)) {
      return Fail(
          ErrorCode::kPermissionDenied,
          fmt::format("trust {}: it is, holds or is inside a path of the broker or its engine",
                      Quoted(path)),
          "UNTRUSTED_PATH");
    }
  }
  return CheckTrustedPath(path, own_);
}

}  // namespace tidewaiter::policy
