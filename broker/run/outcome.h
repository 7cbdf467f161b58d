// How a run ended: data, never an error. And what became of everything that it had created.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidewaiter::run {

struct Outcome {
  enum class Kind {
    kExited,         // the container ended by itself: exit_code is its own
    kTimedOut,       // limits.timeout passed
    kCancelled,      // by its owner or an operator
    kCommandFailed,  // the command is not there (127) or cannot be executed (126)
    kFailed,         // image, engine or broker failed; `reason` and `message` say how
    kShutdown,       // the broker stopped
    kClientGone,     // the client vanished
    kLost,           // the broker died; found at its next start
  };
  Kind kind = Kind::kFailed;
  std::int32_t exit_code =
      0;  // 128 + signal where a signal ended it; meaningful for kExited, kCommandFailed
  bool oom_killed = false;
  std::string message;
  std::string reason;  // stable UPPER_SNAKE word where kind is kFailed
  std::optional<std::chrono::milliseconds>
      duration;  // from start to exit; absent where it never started
};

// "EXITED" and so on, as tidewaiter.v1.RunResult.Outcome spells them.
std::string_view ToString(Outcome::Kind kind) noexcept;

struct Removal {
  std::string kind;  // "container", "network", "run-directory"
  std::string id;
  bool confirmed_absent = false;
  std::string error;  // why not, where it is not
  // Error::reason of it, as ENGINE_UNAVAILABLE. For the reaper, in no record.
  std::string reason = {};
};

struct Receipt {
  std::vector<Removal> removals;  // in the order in which they were removed
  [[nodiscard]] bool Complete() const noexcept {
    for (const Removal& removal : removals) {
      if (!removal.confirmed_absent) return false;
    }
    return true;
  }
};

}  // namespace tidewaiter::run
