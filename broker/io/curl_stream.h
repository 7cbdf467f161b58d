// A connection to where a request goes, by TCP or TLS as HttpClient makes it, over which the caller
// then speaks for itself. One thread at a time, which blocks; only Wake() is for any thread.
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/http_client.h"
#include "broker/io/http_target.h"

namespace tidewaiter::io {

class CurlStream {
 public:
  // Of the request, which must be one that can be sent (HttpTarget), only what tells where to go
  // and whom to trust is used, and the silence that is borne. What it borrows need not outlive the
  // call: libcurl reads it while it connects. Errors: as HttpClient's where it cannot connect.
  static Result<std::unique_ptr<CurlStream>> Connect(const HttpRequest& request,
                                                     const std::stop_token& stop,
                                                     Deadline deadline);
  CurlStream(const CurlStream&) = delete;
  CurlStream& operator=(const CurlStream&) = delete;
  // Closes at once.
  ~CurlStream();

  // Sends as much of it as the connection takes at once, after what waits already; the rest waits
  // for Exchange.
  void Send(std::string_view bytes);
  // Whether nothing waits to be sent.
  [[nodiscard]] bool idle() const noexcept { return sending_.empty(); }
  // The other side reads no more: what there was to send is lost. Why, reading will tell.
  [[nodiscard]] bool broken() const noexcept { return broken_; }

  enum class Event {
    kBytes,  // some were appended
    kEnd,    // the other side has closed; again in every further call
    kSent,   // nothing waits any more
    kWoken,
  };
  // Sends and receives until one of these, `into` growing by `limit` bytes at most. Errors:
  // UNAVAILABLE (the connection broke), DEADLINE_EXCEEDED (reason SILENT: the request's `silence`),
  // CANCELLED. After the latter two it can be gone on with.
  Result<Event> Exchange(std::string& into, std::size_t limit, const std::stop_token& stop,
                         Deadline deadline);

  // Ends the Exchange that runs or, where none does, the next one. Any thread.
  void Wake() noexcept;

 private:
  explicit CurlStream(HttpRequest request) : request_(std::move(request)), target_(request_) {}
  [[nodiscard]] bool Prepare();
  Result<void> Connect(const std::stop_token& stop, Deadline deadline);
  // What has become of connecting; nothing while it goes on.
  std::optional<CURLcode> Connected();
  void Flush();
  // The event that came of reading once; nothing where nothing is there to be read.
  Result<std::optional<Event>> Read(std::string& into, std::size_t limit);
  // Until the socket is ready, the stop token or Wake().
  Result<void> Wait(const std::stop_token& stop, Deadline deadline);

  struct HandleDeleter {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
  };
  struct MultiDeleter {
    void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
  };

  const HttpRequest request_;
  HttpTarget target_;
  // In this order: a handle that only connects must stay in its multi handle.
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::unique_ptr<CURL, HandleDeleter> handle_;
  curl_socket_t socket_ = CURL_SOCKET_BAD;

  // OpenSSL wants a write that was not taken again as it was, bytes and place (SSL_write(3)):
  // nothing is appended to `sending_`.
  std::string sending_;
  std::size_t sent_ = 0;  // of it
  std::string waiting_;   // after it
  bool broken_ = false;
  bool ended_ = false;
  std::atomic<bool> woken_{false};
  Deadline::Clock::time_point last_heard_{};
};

}  // namespace tidewaiter::io
