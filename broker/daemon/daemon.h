// The broker put together: which part is made of which others, and the order in which they end.
// One thread calls it (main's), but StopNow, which any may.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/log.h"
#include "base/result.h"
#include "broker/daemon/preparation.h"
#include "broker/run/audit_sink.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::daemon {

class Daemon {
 public:
  // Serves when it returns. `log` must outlive it. Errors name what stands in the way.
  static Result<std::unique_ptr<Daemon>> Start(Preparation preparation, Log& log);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  // Everything that is not yet shut down ends, without draining.
  ~Daemon();

  // Reads the policy files anew on a thread of its own and tells `done` there. False: one reload is
  // under way and another waits, which will see what is on the disk now.
  bool ReloadPolicy(const std::optional<run::Caller>& by, const std::string& how,
                    std::function<void(const v1::ReloadPolicyResponse&)> done);

  // Admits nothing more; runs may end by themselves until the configured drain_timeout; the rest is
  // stopped. Returns when every run has been torn down (or handed to the next start's reaper).
  void Drain();
  // Cuts a Drain that is under way short. Teardown is never skipped.
  void StopNow();

  // Whether the I/O loop has done anything since the last call; asks it to do something.
  bool LoopIsAlive();

 private:
  struct Parts;
  explicit Daemon(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
  std::uint64_t last_beats_ = 0;
};

}  // namespace tidewaiter::daemon
