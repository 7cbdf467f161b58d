// Who may ask, as the policy file's [[principal]] tables say.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace tidewaiter::policy {

struct Roles {
  bool run = false;  // may run, and see and cancel its own runs
  // May also see and cancel everyone's runs, ask for diagnostics, and reload the policy.
  bool operate = false;
  bool audit = false;  // may query the audit log
  friend bool operator==(const Roles&, const Roles&) = default;
};

struct Principal {
  std::string name;
  uid_t uid = 0;
  Roles roles;
  std::string policy;  // name of a policy in the same file
  friend bool operator==(const Principal&, const Principal&) = default;
};

}  // namespace tidewaiter::policy
