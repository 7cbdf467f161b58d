// How many bytes each principal's runs hold of something, within a bound. Thread-safe.
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
  // For the message of a refusal.
  struct Words {
    const char* verb;     // "take an input"
    const char* what;     // "of inputs"
    const char* setting;  // where the bound stands
    const char* reason;
  };
  PrincipalShare(std::uint64_t max_bytes, const Words& words)
      : max_bytes_(max_bytes), words_(words) {}

  // Before anything is written: what it may come to, at most `wanted`. RESOURCE_EXHAUSTED where
  // that is more than is left. Every Take is followed by Settle, Set or Forget.
  Result<void> Take(const RunId& run_id, const std::string& principal, std::uint64_t wanted);
  // What it has come to, in place of the `wanted` that was taken.
  void Settle(const RunId& run_id, std::uint64_t wanted, std::uint64_t used);
  // What all of the run has come to, whether anything was taken for it or not.
  void Set(const RunId& run_id, const std::string& principal, std::uint64_t bytes);
  // The run's files are gone.
  void Forget(const RunId& run_id);

 private:
  struct Held {
    std::string principal;
    std::uint64_t bytes = 0;
  };
  struct State {
    std::map<RunId, Held> runs;
    std::map<std::string, std::uint64_t> totals;  // by principal; none of zero
  };
  static void Change(State& state, Held& run, std::uint64_t bytes);

  const std::uint64_t max_bytes_;
  const Words words_;
  Guarded<State> state_;
};

}  // namespace tidewaiter::files
