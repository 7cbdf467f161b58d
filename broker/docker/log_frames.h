// The engine's multiplexed output stream (Docker Engine API, "Attach to a container"): frames of an
// 8-byte header {type, 0, 0, 0, length as big-endian uint32} and the payload. Parsed as it comes:
// payload is handed on in place, so a frame that claims 4 GiB costs nothing. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "broker/run/output_sink.h"

namespace tidewaiter::docker {

class LogFrames {
 public:
  // Gets spans into the data given to Feed, never empty, in order.
  using Sink = std::function<void(run::OutputStream, std::span<const std::byte>)>;

  // Errors, after which every further call fails alike: a header that is none (unknown type,
  // non-zero padding), or the engine's own message of type 3 ("systemerr"), complete or cut at 512
  // bytes. Reason ENGINE_INVALID_ANSWER or ENGINE_ERROR.
  Result<void> Feed(std::span<const std::byte> data, const Sink& sink);

  // For the end of the stream: an error where it ended inside a frame.
  [[nodiscard]] Result<void> Finish() const;

  // Within the sink: how much of the frame is still to come after what it was given.
  [[nodiscard]] std::uint32_t left_in_frame() const noexcept { return payload_left_; }

 private:
  static constexpr std::size_t kHeaderBytes = 8;
  enum class Target { kStdout, kStderr, kEngineError };

  Result<void> ReadHeader();
  Result<void> ReadEngineError(std::span<const std::byte> payload);

  std::array<std::byte, kHeaderBytes> header_{};
  std::size_t header_filled_ = 0;
  std::uint32_t payload_left_ = 0;
  Target target_ = Target::kStdout;
  std::string engine_error_;
  std::optional<Error> failed_;
};

}  // namespace tidewaiter::docker
