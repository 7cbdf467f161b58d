// Publishes the log's newest checkpoint outside the host, which is what makes it visible that the
// log's end was cut off: whoever can do that here cannot take back what is known there.
//
// Never puts one in the place of one that says more (checkpoint_order.h).
//
// Thread: one of its own; Offer and Now from any. It must never hold up who offers, nor the
// broker's end: a file system that hangs keeps its thread, which is left behind.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/log.h"
#include "base/result.h"
#include "broker/forward/checkpoint_sink.h"

namespace tidewaiter::forward {

struct PublisherSettings {
  std::chrono::milliseconds first_retry{100};  // after a failure; doubles up to last_retry
  std::chrono::milliseconds last_retry{std::chrono::seconds(30)};
  std::chrono::milliseconds attempt_timeout{std::chrono::seconds(30)};
  std::chrono::milliseconds last_attempt{std::chrono::seconds(2)};  // at the end
};

class CheckpointPublisher {
 public:
  // `log` must outlive it. RESOURCE_EXHAUSTED where the system gives no thread.
  static Result<std::unique_ptr<CheckpointPublisher>> Start(PublisherSettings settings,
                                                            std::unique_ptr<CheckpointSink> sink,
                                                            Log& log);
  CheckpointPublisher(const CheckpointPublisher&) = delete;
  CheckpointPublisher& operator=(const CheckpointPublisher&) = delete;
  // Tries once more to publish what was offered last, for `last_attempt`.
  ~CheckpointPublisher();

  // Takes the place of what was offered before and is not published yet. Returns at once. Of the
  // text, the second line alone is read: the log's size, for Now().
  void Offer(std::string note);

  struct Standing {
    std::string sink;                             // its name
    std::optional<std::uint64_t> published_size;  // none by this process yet
    std::optional<std::chrono::seconds> published_ago;
    std::optional<std::chrono::seconds> waiting_for;  // since when something is not published
    std::optional<Error> failure;                     // of the last attempt
  };
  [[nodiscard]] Standing Now() const;

 private:
  struct Shared;

  explicit CheckpointPublisher(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  static void Run(const std::shared_ptr<Shared>& shared, const std::stop_token& stop);

  const std::shared_ptr<Shared> shared_;  // with the thread, which may stay longer
  std::jthread thread_;
};

// The size that a checkpoint tells in its second line (C2SP tlog-checkpoint); nothing where it is
// no number.
std::optional<std::uint64_t> SizeInCheckpoint(std::string_view note);

}  // namespace tidewaiter::forward
