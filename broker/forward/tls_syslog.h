// A syslog server by TLS (RFC 5425): each message is preceded by its length. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "broker/forward/destination.h"
#include "broker/forward/syslog_message.h"
#include "broker/forward/tls_stream.h"

namespace tidewaiter::forward {

class TlsSyslog final : public Destination {
 public:
  TlsSyslog(std::string host, std::uint16_t port, TlsTrust trust, SyslogOrigin origin)
      : host_(std::move(host)), port_(port), trust_(std::move(trust)), origin_(std::move(origin)) {}

  [[nodiscard]] std::string Name() const override;
  Result<void> Connect(const std::stop_token& stop, Deadline deadline) override;
  Result<void> Send(const ForwardedRecord& record, Deadline deadline) override;
  // Once the server's machine has acknowledged it all and the connection is still open; the
  // protocol has no acknowledgement of its own.
  Result<void> Confirm(Deadline deadline) override;

 private:
  const std::string host_;
  const std::uint16_t port_;
  const TlsTrust trust_;
  const SyslogOrigin origin_;
  std::optional<TlsStream> stream_;
};

}  // namespace tidewaiter::forward
