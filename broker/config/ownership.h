// Who could write what the broker believes. A policy that strangers can edit is no policy, so in
// production nothing but root and the broker's own user may be able to change its files or the way
// to them. Reads metadata only; never changes anything.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "broker/config/broker_config.h"

namespace tidewaiter::config {

struct OwnershipFinding {
  std::string what;  // "configuration", "policy", "state folder", ...
  std::string path;
  Error error;
  // Holds in development too: the object itself, not the way to it, is a symbolic link, belongs to
  // someone else or is writable by others.
  bool always = false;
};

// Empty where all is well. A state or audit folder that is not there yet is judged by its parent.
std::vector<OwnershipFinding> CheckOwnership(const std::string& config_path,
                                             const BrokerConfig& config);

}  // namespace tidewaiter::config
