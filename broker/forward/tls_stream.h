// A connection by TLS 1.2 or later whose other side has proven its name, for straight-line code:
// each call ends by its deadline, and at once where the token is stopped. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/blocking_socket.h"

struct ssl_ctx_st;
struct ssl_st;

namespace tidewaiter::forward {

// Whom to believe; made once, used for every connection.
class TlsTrust {
 public:
  // The system's CAs and those of `ca_certificates` (PEM; empty: the system's alone). Errors:
  // INVALID_ARGUMENT (CA_FILE), RESOURCE_EXHAUSTED.
  static Result<TlsTrust> Create(std::string_view ca_certificates);

  [[nodiscard]] ssl_ctx_st* context() const noexcept { return context_.get(); }

 private:
  struct ContextDeleter {
    void operator()(ssl_ctx_st* context) const noexcept;
  };
  std::unique_ptr<ssl_ctx_st, ContextDeleter> context_;
};

class TlsStream {
 public:
  // `host` is a name or an address; the certificate must be for it. Errors: UNAVAILABLE
  // (CONNECT_FAILED, TLS_UNTRUSTED), DEADLINE_EXCEEDED, CANCELLED, RESOURCE_EXHAUSTED.
  static Result<TlsStream> Connect(const TlsTrust& trust, const std::string& host,
                                   std::uint16_t port, const std::stop_token& stop,
                                   Deadline deadline);

  TlsStream(TlsStream&&) noexcept = default;
  TlsStream& operator=(TlsStream&&) = delete;
  ~TlsStream();

  // Errors of both: UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED.
  Result<void> Send(std::string_view data, Deadline deadline);
  // Returns once all that was sent has arrived on a connection that the other side keeps open.
  Result<void> Confirm(Deadline deadline);

 private:
  struct SessionDeleter {
    void operator()(ssl_st* session) const noexcept;
  };
  using Session = std::unique_ptr<ssl_st, SessionDeleter>;

  TlsStream(io::BlockingSocket socket, Session session)
      : socket_(std::move(socket)), session_(std::move(session)) {}
  Result<void> Shake(Deadline deadline);
  Result<void> Flush(Deadline deadline);
  Result<void> Feed(Deadline deadline);
  Result<void> TakeWhatCame();
  [[nodiscard]] Error Failure(const char* what) const;

  io::BlockingSocket socket_;
  Session session_;
};

}  // namespace tidewaiter::forward
