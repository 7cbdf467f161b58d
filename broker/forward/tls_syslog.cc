#include "broker/forward/tls_syslog.h"

#include <utility>

#include "base/printable.h"

namespace tidewaiter::forward {

std::string TlsSyslog::Name() const {
  return "syslog " + Quoted("tls://" + host_ + ":" + std::to_string(port_));
}

Result<void> TlsSyslog::Connect(const std::stop_token& stop, Deadline deadline) {
  stream_.reset();
  TW_ASSIGN(TlsStream stream, TlsStream::Connect(trust_, host_, port_, stop, deadline));
  stream_.emplace(std::move(stream));
  return Ok();
}

Result<void> TlsSyslog::Send(const ForwardedRecord& record, Deadline deadline) {
  const std::string message = SyslogMessage(origin_, record);
  return stream_->Send(std::to_string(message.size()) + ' ' + message, deadline);
}

Result<void> TlsSyslog::Confirm(Deadline deadline) {
  return stream_->Confirm(deadline);
}

}  // namespace tidewaiter::forward
