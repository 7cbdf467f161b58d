#include "broker/docker/log_frames.h"

#include <algorithm>

#include "base/printable.h"

namespace tidewaiter::docker {
namespace {

constexpr std::size_t kMaxEngineError = 512;

}  // namespace

Result<void> LogFrames::Feed(std::span<const std::byte> data, const Sink& sink) {
  while (!failed_ && !data.empty()) {
    if (payload_left_ == 0) {
      const std::size_t taken = std::min(kHeaderBytes - header_filled_, data.size());
      std::copy_n(data.begin(), taken,
                  header_.begin() + static_cast<std::ptrdiff_t>(header_filled_));
      header_filled_ += taken;
      data = data.subspan(taken);
      if (header_filled_ < kHeaderBytes) break;
      header_filled_ = 0;
      if (Result<void> header = ReadHeader(); !header) failed_ = header.error();
      continue;
    }
    const std::size_t taken = std::min<std::size_t>(payload_left_, data.size());
    payload_left_ -= static_cast<std::uint32_t>(taken);
    const std::span<const std::byte> payload = data.first(taken);
    data = data.subspan(taken);
    if (target_ == Target::kEngineError) {
      if (Result<void> message = ReadEngineError(payload); !message) failed_ = message.error();
    } else {
      sink(target_ == Target::kStdout ? run::OutputStream::kStdout : run::OutputStream::kStderr,
           payload);
    }
  }
  if (failed_) return *failed_;
  return Ok();
}

Result<void> LogFrames::Finish() const {
  if (failed_) return *failed_;
  if (header_filled_ != 0 || payload_left_ != 0) {
    return Fail(ErrorCode::kUnavailable, "read output: the engine's stream ended inside a frame",
                "ENGINE_UNAVAILABLE");
  }
  return Ok();
}

Result<void> LogFrames::ReadHeader() {
  const auto byte = [this](std::size_t i) { return std::to_integer<std::uint32_t>(header_.at(i)); };
  const std::uint32_t type = byte(0);
  if (type > 3 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0) {
    return Fail(ErrorCode::kInternal, "read output: the engine sent something that is no log frame",
                "ENGINE_INVALID_ANSWER");
  }
  payload_left_ = (byte(4) << 24U) | (byte(5) << 16U) | (byte(6) << 8U) | byte(7);
  // Type 0 is stdin, "which is written on stdout".
  target_ = type == 2 ? Target::kStderr : type == 3 ? Target::kEngineError : Target::kStdout;
  return Ok();
}

Result<void> LogFrames::ReadEngineError(std::span<const std::byte> payload) {
  for (const std::byte b : payload.first(std::min(
           payload.size(), kMaxEngineError - std::min(kMaxEngineError, engine_error_.size())))) {
    engine_error_ += std::to_integer<char>(b);
  }
  if (payload_left_ != 0 && engine_error_.size() < kMaxEngineError) return Ok();
  return Fail(ErrorCode::kInternal,
              "read output: the engine says " + Quoted(engine_error_, kMaxEngineError),
              "ENGINE_ERROR");
}

}  // namespace tidewaiter::docker
