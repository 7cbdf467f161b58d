// What stands between a container's output and its client: passes limits.log_bytes on, counts what
// it drops, and lets a client that has stopped reading no longer hold up the run. Output arrives on
// the I/O thread; the run's thread watches and reads the counts.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>

#include "base/deadline.h"
#include "broker/run/backend.h"
#include "broker/run/output_sink.h"

namespace tidewaiter::run {

class OutputLimiter : public OutputSink {
 public:
  // `client` must outlive this. `limit_bytes` counts stdout and stderr together.
  OutputLimiter(OutputSink& client, std::int64_t limit_bytes);

  bool Write(OutputStream stream, std::span<const std::byte> data) override;
  // `resume` must not call SetResume.
  void SetResume(std::function<void()> resume) override;

  // When `stall` will have passed since a byte last came from the engine, the client last made
  // room, or the container ended.
  [[nodiscard]] Deadline StallsAt(Deadline::Clock::duration stall) const;
  // The container has ended: how long it was silent before says nothing about what still comes.
  void OnContainerEnd() { Progress(); }
  // Whether the client is what holds the output up.
  [[nodiscard]] bool ClientFull() const { return client_full_.load(); }
  // Gives up on the client: all that still comes is dropped, and the engine's side is let go on.
  void DropRest();

  // What the client was given.
  [[nodiscard]] LogPosition passed() const { return {passed_[0].load(), passed_[1].load()}; }
  [[nodiscard]] std::int64_t dropped_over_limit() const { return over_limit_.load(); }
  [[nodiscard]] std::int64_t dropped_unread() const { return unread_.load(); }
  [[nodiscard]] bool dropping() const { return dropping_.load(); }

 private:
  void ClientHasRoom();
  void Progress() { last_progress_.store(Deadline::Clock::now()); }

  OutputSink& client_;
  std::int64_t room_;  // bytes that may still pass; I/O thread only
  std::array<std::atomic<std::uint64_t>, 2> passed_{};  // of stdout, of stderr
  std::atomic<std::int64_t> over_limit_{0};
  std::atomic<std::int64_t> unread_{0};
  std::atomic<bool> client_full_{false};
  std::atomic<bool> dropping_{false};
  std::atomic<Deadline::Clock::time_point> last_progress_;
  // Held while `resume_` runs: that is how SetResume({}) can promise that it does not.
  std::mutex resume_mutex_;
  std::function<void()> resume_;
};

}  // namespace tidewaiter::run
