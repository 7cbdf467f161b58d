// HTTP/1.1 over a Unix socket or TCP (TLS verified, unless a request says otherwise), by libcurl's
// multi interface on the event loop. Connections are kept and reused. Thread-safe; calls block the
// calling thread (never the loop's) until answer, deadline or stop.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/event_loop.h"
#include "broker/io/stream_control.h"
#include "broker/io/tls_identity.h"

namespace tidewaiter::io {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  // "http://docker/v1.41/info" (the host is only a name where unix_socket is set) or
  // "https://registry/v2/".
  std::string url;
  std::string unix_socket;  // path; empty: TCP
  HttpHeaders headers;
  std::string body;
  // PEM of CA certificates that are trusted besides the system's (those in /etc/ssl/certs, by their
  // names' hashes). Borrowed: must outlive the call.
  std::string_view ca_certificates;
  // Whom to trust and who to be, in place of ca_certificates. Borrowed: must outlive the call. A
  // request to "http://" takes no notice.
  const TlsIdentity* tls = nullptr;
  std::size_t max_response_bytes = std::size_t{4} << 20U;
  // How long the other side may stay silent, and how long it may take until its answer's header has
  // come, within the deadline. Zero: no bound of its own.
  std::chrono::milliseconds silence{0};
  std::chrono::milliseconds head_within{0};
};

struct HttpResponse {
  long status = 0;
  HttpHeaders headers;  // names in lower case
  std::string body;

  // The first header of that lower-case name, or "".
  [[nodiscard]] std::string_view Header(std::string_view name) const noexcept;
};

// A stream that nobody waits for (HttpClient::Begin). Destroying it ends it: once that returns,
// none of its functions is running or will be called. Neither on the loop's thread nor in one of
// them.
class HttpStream {
 public:
  HttpStream(const HttpStream&) = delete;
  HttpStream& operator=(const HttpStream&) = delete;
  virtual ~HttpStream() = default;

 protected:
  HttpStream() = default;
};

class HttpClient {
 public:
  static Result<std::unique_ptr<HttpClient>> Create(EventLoop& loop);
  virtual ~HttpClient() = default;

  // Redirects are not followed. Errors: UNAVAILABLE (cannot connect, connection reset, answer
  // broken off; "TLS_UNTRUSTED": the server's certificate), DEADLINE_EXCEEDED, CANCELLED,
  // RESOURCE_EXHAUSTED (answer larger than max_response_bytes), INTERNAL (not HTTP),
  // INVALID_ARGUMENT (not a request that can be sent; "TLS_IDENTITY": no usable certificate or
  // key). Whether a failed request took effect is unknown, except where it could not connect:
  // reason "CONNECT_FAILED".
  virtual Result<HttpResponse> Fetch(const HttpRequest& request, const std::stop_token& stop,
                                     Deadline deadline) = 0;

  // An answer without an end, as the engine's /events and pulls. `on_data` gets the body's bytes of
  // a 2xx answer on the loop's thread and returns false to end the stream. Blocks until the stream
  // has ended; an answer other than 2xx is returned whole (at most max_response_bytes). `on_open`,
  // where set, is called once on the loop's thread when the 2xx header is there.
  virtual Result<HttpResponse> Stream(const HttpRequest& request, const std::stop_token& stop,
                                      Deadline deadline, std::function<void()> on_open,
                                      std::function<bool(std::string_view)> on_data) = 0;

  // The same for a receiver that is slower than its sender. While it pauses nothing is read, but
  // for the at most 4 KiB that have been read with its last bytes: the sender waits, which does
  // not count as its silence. Deadline and stop hold; an end of the stream that had been read comes
  // even then, after all bytes have been given.
  virtual Result<HttpResponse> StreamTo(const HttpRequest& request, const std::stop_token& stop,
                                        Deadline deadline, const StreamReceiver& receiver) = 0;

  // As StreamTo, without waiting: `on_end` is called once, on the loop's thread, with what StreamTo
  // would return, and must not block. Errors: those of a request that cannot be sent.
  virtual Result<std::unique_ptr<HttpStream>> Begin(
      HttpRequest request, Deadline deadline, StreamReceiver receiver,
      std::function<void(Result<HttpResponse>)> on_end) = 0;

 protected:
  HttpClient() = default;
};

}  // namespace tidewaiter::io
