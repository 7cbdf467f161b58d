// What of an admitted run its backend does not enforce itself.
#pragma once

#include <string>

namespace tidewaiter::policy {

// `field` is the place in the effective run, as Violation::field has it. `by` says who enforces it
// instead, `value` what that one enforces where the broker knows it ("200", "8MiB"); nobody does
// where `by` is empty. `message` says why. All of it is safe to print.
struct Enforcement {
  std::string field;
  std::string by;
  std::string value;
  std::string message;
  friend bool operator==(const Enforcement&, const Enforcement&) = default;
};

}  // namespace tidewaiter::policy
