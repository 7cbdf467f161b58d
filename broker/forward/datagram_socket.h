// A socket connected to a Unix datagram socket: each message goes whole or not at all. One thread.
#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/blocking_socket.h"

namespace tidewaiter::forward {

class DatagramSocket {
 public:
  // `send_buffer`: how long a message may get, as far as the system lets this process ask for it
  // (net.core.wmem_max). Errors: UNAVAILABLE, with reason NOT_DATAGRAM where the socket at that
  // path is of another kind; INVALID_ARGUMENT.
  static Result<DatagramSocket> Connect(const std::string& path, std::size_t send_buffer,
                                        const std::stop_token& stop);

  // Waits while the receiver's queue is full. False where the message is longer than the kernel
  // takes. Errors: UNAVAILABLE (nobody there any more), DEADLINE_EXCEEDED, CANCELLED.
  Result<bool> Send(std::string_view message, Deadline deadline);
  // An empty message with `file` (borrowed). Errors likewise.
  Result<void> SendFile(int file, Deadline deadline);

 private:
  explicit DatagramSocket(io::BlockingSocket socket) : socket_(std::move(socket)) {}

  io::BlockingSocket socket_;
};

}  // namespace tidewaiter::forward
