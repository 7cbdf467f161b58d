// A peer that speaks just enough HTTP/2 (RFC 9113) to begin gRPC messages and never end them, and
// to ask for answers and never take them. It keeps to the windows that the other side grants, so
// that all it sends is taken, and grants none itself.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace tidewaiter::testing {

class HalfSender {
 public:
  // `connection`: a connected stream socket.
  explicit HalfSender(UniqueFd connection);

  // Opens a call of `path` that announces a message of `bytes`.
  void Begin(std::string_view path, std::uint32_t bytes);
  // Calls `path` with the whole of `message`.
  void Ask(std::string_view path, std::string_view message);
  // Reads frames until the other side has ended every call, or for that long. False: it has not.
  bool AwaitEnd(std::chrono::milliseconds within);
  // Sends what the windows allow, all of each message but its last byte, until everything is sent,
  // the other side hangs up, or it has granted nothing for `patience`.
  void Push(std::chrono::milliseconds patience);

  // Bytes of messages that were sent.
  [[nodiscard]] std::size_t sent() const { return sent_; }
  // Calls that the other side ended.
  [[nodiscard]] std::size_t ended() const { return ended_; }
  // Bytes of answers that have come, frames and all.
  [[nodiscard]] std::size_t received() const { return received_; }

 private:
  struct Call {
    std::int64_t window = 0;
    std::size_t left = 0;
  };
  std::uint32_t Open(std::string_view path);
  void Write(std::string_view bytes);
  bool SendData();
  void TakeFrames();
  void TakeFrame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                 std::string_view payload);
  void TakeSettings(std::string_view payload);

  UniqueFd connection_;
  bool open_ = true;
  std::string read_;
  std::map<std::uint32_t, Call> calls_;
  std::uint32_t next_stream_ = 1;
  std::int64_t window_ = 65535;          // the connection's; RFC 9113, 6.9.2
  std::int64_t initial_window_ = 65535;  // of a new stream
  std::size_t sent_ = 0;
  std::size_t ended_ = 0;
  std::size_t received_ = 0;
};

}  // namespace tidewaiter::testing
