// The daemon's answer to `tidewaiter doctor --leaks`. Reads twice, a moment apart, and tells what
// was wrong both times: nothing holds runs up meanwhile, so what one reading alone shows may just
// have been on its way in or out. Blocks for as long as the engine takes, at most some 20 seconds.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/daemon/leaks.h"
#include "broker/run/environment.h"
#include "broker/run/run_registry.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::daemon {

class LeakCheck {
 public:
  struct Parts {  // all borrowed
    const run::Environment* environment = nullptr;
    const run::RunRegistry* registry = nullptr;
    std::string state_dir;
    std::chrono::milliseconds pause{std::chrono::seconds(1)};  // between the two readings
  };
  explicit LeakCheck(Parts parts) : parts_(std::move(parts)) {}

  // RESOURCE_EXHAUSTED (BUSY) where another thread is at it; UNAVAILABLE (SHUTTING_DOWN).
  Result<v1::DiagnoseResponse> Run();
  // Ends the pause of one that is under way. Any thread.
  void Stop() noexcept { stop_.request_stop(); }

 private:
  [[nodiscard]] bool Pause();
  [[nodiscard]] std::vector<Leak> Look() const;

  const Parts parts_;
  std::stop_source stop_;
  std::mutex busy_;
  std::condition_variable_any paused_;
};

}  // namespace tidewaiter::daemon
