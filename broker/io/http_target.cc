#include "broker/io/http_target.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/printable.h"
#include "broker/io/http_errors.h"
#include "broker/io/http_head.h"

namespace tidewaiter::io {
namespace {

constexpr std::size_t kMaxUrlInErrors = 200;

// Whether the server is to be known by another name than the URL's host.
bool HasServerName(const HttpRequest& request) {
  return request.tls != nullptr && !request.tls->server_name.empty() &&
         request.url.starts_with("https://");
}

// Whether the request can be written down without a line of its own making.
bool IsSendable(const HttpRequest& request) {
  const bool known_scheme =
      request.url.starts_with("http://") || request.url.starts_with("https://");
  if (!known_scheme || HasControl(request.url) || request.url.find(' ') != std::string::npos) {
    return false;
  }
  if (!IsHttpToken(request.method) || request.unix_socket.find('\0') != std::string::npos) {
    return false;
  }
  return std::all_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    return IsHttpToken(header.first) && !HasControl(header.second);
  });
}

template <typename Value>
bool Set(CURL* handle, CURLoption option, Value value) {
  return curl_easy_setopt(handle, option, value) == CURLE_OK;
}

}  // namespace

HttpTarget::HttpTarget(const HttpRequest& request)
    : request_(request),
      route_(HasServerName(request) ? RouteByName(request.url, request.tls->server_name)
                                    : std::nullopt),
      sendable_(IsSendable(request) && HasServerName(request) == route_.has_value()) {}

bool HttpTarget::HasHeader(std::string_view lower_case_name) const {
  return std::any_of(request_.headers.begin(), request_.headers.end(), [&](const auto& header) {
    const std::optional parsed = ParseHttpHeader(header.first + ":");
    return parsed && parsed->first == lower_case_name;
  });
}

std::string_view HttpTarget::host() const noexcept {
  return route_ ? std::string_view(route_->host) : std::string_view();
}

std::string HttpTarget::Subject() const {
  std::string line = request_.method;
  line.append(" ").append(request_.url, 0, request_.url.find('?'));
  return "send " + Quoted(line, kMaxUrlInErrors);
}

bool HttpTarget::Apply(CURL* handle) {
  detail_.front() = '\0';
  // 0 and 1 are `long` in libcurl's variadic interface.
  const bool bounded =
      Set(handle, CURLOPT_URL, route_ ? route_->url.c_str() : request_.url.c_str()) &&
      Set(handle, CURLOPT_PROTOCOLS_STR, "http,https") &&
      Set(handle, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) &&
      Set(handle, CURLOPT_FOLLOWLOCATION, 0L) &&
      Set(handle, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1}) &&
      Set(handle, CURLOPT_PROXY, "") &&  // none from the environment
      Set(handle, CURLOPT_SSL_VERIFYPEER, 1L) && Set(handle, CURLOPT_SSL_VERIFYHOST, 2L) &&
      Set(handle, CURLOPT_NOSIGNAL, 1L) &&
      // A stream that says nothing for hours is one whose peer may be gone without a word.
      Set(handle, CURLOPT_TCP_KEEPALIVE, 1L) && Set(handle, CURLOPT_TCP_KEEPIDLE, 30L) &&
      Set(handle, CURLOPT_TCP_KEEPINTVL, 10L) &&
      // A name that is still being looked up must not hold up anybody when the
      // request is cancelled: libcurl would join its resolver thread.
      Set(handle, CURLOPT_QUICK_EXIT, 1L);
  const bool local = request_.unix_socket.empty() ||
                     Set(handle, CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
  return bounded && local && Set(handle, CURLOPT_ERRORBUFFER, detail_.data()) &&
         Set(handle, CURLOPT_OPENSOCKETFUNCTION, &HttpTarget::OpenSocket) && ApplyTrust(handle) &&
         ApplyRoute(handle);
}

bool HttpTarget::ApplyTrust(CURL* handle) const {
  if (request_.tls != nullptr) return UseIdentity(handle, *request_.tls);
  return request_.ca_certificates.empty() || TrustBesides(handle, request_.ca_certificates);
}

bool HttpTarget::ApplyRoute(CURL* handle) {
  if (!route_) return true;
  connect_to_.reset(curl_slist_append(nullptr, route_->connect_to.c_str()));
  return connect_to_ != nullptr && Set(handle, CURLOPT_CONNECT_TO, connect_to_.get());
}

Error HttpTarget::ErrorOf(CURL* handle, CURLcode code, bool sent) const {
  if (code == CURLE_COULDNT_CONNECT && !sent) {
    long errno_value = 0;
    curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &errno_value);
    return ConnectError(errno_value, request_.unix_socket);
  }
  return HttpError(code, sent, detail_.data());
}

curl_socket_t HttpTarget::OpenSocket(void* /*self*/, curlsocktype /*purpose*/,
                                     curl_sockaddr* address) {
  // This version of libcurl would leave the connection open to programs that are started.
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace tidewaiter::io
