// Port: where a container's output goes.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace tidewaiter::run {

enum class OutputStream { kStdout, kStderr };

// Called on the I/O thread, in order, one call at a time; must not block.
class OutputSink {
 public:
  virtual ~OutputSink() = default;

  // Takes all of `data`. False: the queue is now full, and the producer stops reading until
  // `resume`, as given to SetResume, is called. Backpressure reaches the container in this way.
  virtual bool Write(OutputStream stream, std::span<const std::byte> data) = 0;

  // `resume` may be called on any thread, also spuriously. An empty function detaches the producer;
  // when SetResume({}) has returned, the previous function is not running and will not be called
  // again.
  virtual void SetResume(std::function<void()> resume) = 0;
};

}  // namespace tidewaiter::run
