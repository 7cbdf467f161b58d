// Checkpoints in a file, on a file system that another host keeps. Replaced atomically, readable by
// everyone. A call can take as long as that file system does: no deadline interrupts it.
#pragma once

#include <optional>
#include <string>

#include "broker/forward/checkpoint_sink.h"

namespace tidewaiter::forward {

class FileSink final : public CheckpointSink {
 public:
  // `path` is absolute. Its folder is looked up anew each time, as mounts come and go.
  explicit FileSink(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] std::string Name() const override;
  Result<std::optional<std::string>> Kept(const std::stop_token& stop, Deadline deadline) override;
  Result<void> Publish(const std::string& note, const std::stop_token& stop,
                       Deadline deadline) override;

 private:
  const std::string path_;
};

}  // namespace tidewaiter::forward
