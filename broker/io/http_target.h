// Where a request goes and whom it trusts there, as libcurl is told it: what is the same whether
// libcurl then speaks HTTP or only connects. One thread at a time.
#pragma once

#include <curl/curl.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "broker/io/http_client.h"
#include "broker/io/http_tls.h"

namespace tidewaiter::io {

class HttpTarget {
 public:
  // Borrows the request.
  explicit HttpTarget(const HttpRequest& request);
  HttpTarget(const HttpTarget&) = delete;
  HttpTarget& operator=(const HttpTarget&) = delete;
  ~HttpTarget() = default;

  // Whether the request can be written down without a line of its own making, and the name that its
  // server is to have, if any, is one.
  [[nodiscard]] bool sendable() const noexcept { return sendable_; }
  // Whether a field of that lower-case name is among the request's headers.
  [[nodiscard]] bool HasHeader(std::string_view lower_case_name) const;
  // The Host header where it is not what libcurl makes of the URL that it was given; or "".
  [[nodiscard]] std::string_view host() const noexcept;
  // "send 'METHOD URL'", without what the URL asks for: how messages begin.
  [[nodiscard]] std::string Subject() const;

  // `handle` must not outlive this. False: no memory.
  [[nodiscard]] bool Apply(CURL* handle);
  // Of the transfer of `handle` that ended with `code`. `sent` as for HttpError.
  [[nodiscard]] Error ErrorOf(CURL* handle, CURLcode code, bool sent) const;

 private:
  [[nodiscard]] bool ApplyTrust(CURL* handle) const;
  [[nodiscard]] bool ApplyRoute(CURL* handle);
  static curl_socket_t OpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);

  struct ListDeleter {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
  };

  const HttpRequest& request_;
  const std::optional<NamedRoute> route_;  // where the request's TlsIdentity has a server_name
  const bool sendable_;
  std::array<char, CURL_ERROR_SIZE> detail_{};  // libcurl's own words
  std::unique_ptr<curl_slist, ListDeleter> connect_to_;
};

}  // namespace tidewaiter::io
