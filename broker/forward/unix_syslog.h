// A syslog server on this machine, at a Unix socket: datagrams, or where the socket is a stream,
// messages that end in a line feed (RFC 6587, 3.4.2), which none of ours holds. One thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "broker/forward/datagram_socket.h"
#include "broker/forward/destination.h"
#include "broker/forward/syslog_message.h"
#include "broker/io/blocking_socket.h"

namespace tidewaiter::forward {

class UnixSyslog final : public Destination {
 public:
  // More than the longest record; the system may give less.
  static constexpr std::size_t kSendBuffer = std::size_t{2} << 20U;

  UnixSyslog(std::string socket_path, SyslogOrigin origin, std::size_t send_buffer = kSendBuffer)
      : path_(std::move(socket_path)), origin_(std::move(origin)), send_buffer_(send_buffer) {}

  [[nodiscard]] std::string Name() const override;
  Result<void> Connect(const std::stop_token& stop, Deadline deadline) override;
  // A record for which a datagram has no room goes shortened, and says so itself.
  Result<void> Send(const ForwardedRecord& record, Deadline deadline) override;
  // Of a stream, once the server has read it all. Of datagrams, at once: they are in its queue.
  Result<void> Confirm(Deadline deadline) override;

 private:
  const std::string path_;
  const SyslogOrigin origin_;
  const std::size_t send_buffer_;
  std::optional<DatagramSocket> datagrams_;
  std::optional<io::BlockingSocket> stream_;
};

}  // namespace tidewaiter::forward
