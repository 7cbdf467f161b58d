// One reason why a run is denied.
#pragma once

#include <string>

namespace tidewaiter::policy {

// `rule` is a stable id listed in docs/POLICY.md ("image.tag-required"). `field` is the place in
// the protobuf JSON form of RunSpec ("limits.memoryBytes", "mounts[1].bind.source"). `message` says
// what is wrong with the value, `remedy` what would be admitted instead. Both are safe to print:
// control bytes are escaped, long values cut.
struct Violation {
  std::string rule;
  std::string field;
  std::string message;
  std::string remedy;
  friend bool operator==(const Violation&, const Violation&) = default;
};

}  // namespace tidewaiter::policy
