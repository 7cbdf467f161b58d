#include "broker/forward/unix_syslog.h"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include "base/printable.h"
#include "broker/forward/arrival.h"

namespace tidewaiter::forward {

std::string UnixSyslog::Name() const {
  return "syslog " + Quoted(path_);
}

Result<void> UnixSyslog::Connect(const std::stop_token& stop, Deadline deadline) {
  datagrams_.reset();
  stream_.reset();
  Result<DatagramSocket> datagrams = DatagramSocket::Connect(path_, send_buffer_, stop);
  if (datagrams) {
    datagrams_.emplace(*std::move(datagrams));
    return Ok();
  }
  if (datagrams.error().reason != "NOT_DATAGRAM") return datagrams.error();
  TW_ASSIGN(io::BlockingSocket stream, io::BlockingSocket::Connect(path_, stop, deadline));
  stream_.emplace(std::move(stream));
  return Ok();
}

Result<void> UnixSyslog::Send(const ForwardedRecord& record, Deadline deadline) {
  if (stream_) return stream_->Send(SyslogMessage(origin_, record) + '\n', deadline);
  TW_ASSIGN(const bool whole, datagrams_->Send(SyslogMessage(origin_, record), deadline));
  if (whole) return Ok();
  TW_ASSIGN(const bool cut, datagrams_->Send(ShortenedSyslogMessage(origin_, record), deadline));
  if (!cut) return Fail(ErrorCode::kUnavailable, "send: not even a short message has room");
  return Ok();
}

Result<void> UnixSyslog::Confirm(Deadline deadline) {
  if (!stream_) return Ok();
  TW_TRY(AwaitArrival(*stream_, deadline));
  // A server that has gone has read nothing more, whatever the kernel threw away with it.
  pollfd now{.fd = stream_->fd(), .events = POLLRDHUP, .revents = 0};
  if (::poll(&now, 1, 0) > 0) {
    return Fail(ErrorCode::kUnavailable, "the server has closed the connection");
  }
  return Ok();
}

}  // namespace tidewaiter::forward
