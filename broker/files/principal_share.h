// How many bytes the inputs of each principal's runs hold, within a bound. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/guarded.h"
#include "base/result.h"
#include "base/strong_id.h"

namespace tidewaiter::files {

class PrincipalShare {
 public:
  explicit PrincipalShare(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // Before an input is unpacked: what it may take, at most `wanted`. RESOURCE_EXHAUSTED
  // (INPUT_QUOTA) where that is less. Every Take is followed by Settle.
  Result<void> Take(const RunId& run_id, const std::string& principal, std::uint64_t wanted);
  // What it has come to, in place of the `wanted` that was taken.
  void Settle(const RunId& run_id, std::uint64_t wanted, std::uint64_t used);
  // The run's files are gone.
  void Forget(const RunId& run_id);

 private:
  struct Held {
    std::string principal;
    std::uint64_t bytes = 0;
  };
  const std::uint64_t max_bytes_;
  Guarded<std::map<RunId, Held>> runs_;
};

}  // namespace tidewaiter::files
