// Port: a place outside the host that keeps the log's newest checkpoint. Used by one
// CheckpointPublisher, on its thread alone.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "base/result.h"

namespace tidewaiter::forward {

class CheckpointSink {
 public:
  virtual ~CheckpointSink() = default;
  CheckpointSink(const CheckpointSink&) = delete;
  CheckpointSink& operator=(const CheckpointSink&) = delete;

  [[nodiscard]] virtual std::string Name() const = 0;
  // What is kept there; nothing where there is nothing, or it is not for this broker to read.
  virtual Result<std::optional<std::string>> Kept(const std::stop_token& stop,
                                                  Deadline deadline) = 0;
  // Replaces what is kept there by `note`. Whether a failed one took effect is unknown.
  virtual Result<void> Publish(const std::string& note, const std::stop_token& stop,
                               Deadline deadline) = 0;

 protected:
  CheckpointSink() = default;
};

}  // namespace tidewaiter::forward
