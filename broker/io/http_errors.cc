#include "broker/io/http_errors.h"

#include <string>
#include <utility>

#include "base/printable.h"
#include "base/result.h"

namespace tidewaiter::io {
namespace {

ErrorCode CodeOf(CURLcode code) noexcept {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: return ErrorCode::kUnavailable;
    case CURLE_OPERATION_TIMEDOUT: return ErrorCode::kDeadlineExceeded;
    case CURLE_SSL_CLIENTCERT: return ErrorCode::kPermissionDenied;
    case CURLE_OUT_OF_MEMORY: return ErrorCode::kResourceExhausted;
    case CURLE_SSL_CERTPROBLEM:  // ours, not the server's
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED: return ErrorCode::kInvalidArgument;
    default: return ErrorCode::kInternal;  // not HTTP, or not as it should be
  }
}

// A certificate that names a trusted CA as its issuer and is signed by another of that name: the
// CAs of most clusters are called "kubernetes". libcurl tells it as an error of the handshake, with
// the cause that OpenSSL noted first.
bool IsWronglySigned(CURLcode code, std::string_view detail) noexcept {
  return code == CURLE_SSL_CONNECT_ERROR &&
         (detail.find("asn1 encoding routines") != std::string_view::npos ||
          detail.find("rsa routines") != std::string_view::npos);
}

std::string_view ReasonOf(CURLcode code, bool sent) noexcept {
  // Trying again would not help, and a program should be able to tell.
  if (code == CURLE_PEER_FAILED_VERIFICATION) return "TLS_UNTRUSTED";
  if (code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CLIENTCERT) return "TLS_IDENTITY";
  if (!sent && CodeOf(code) == ErrorCode::kUnavailable) return "CONNECT_FAILED";
  return {};
}

// Errors of this project begin in lower case; libcurl's begin in upper case.
std::string Cause(CURLcode code, std::string_view detail) {
  std::string cause = Printable(detail.empty() ? curl_easy_strerror(code) : detail);
  const bool acronym = cause.size() > 1 && cause[1] >= 'A' && cause[1] <= 'Z';
  if (!acronym && cause[0] >= 'A' && cause[0] <= 'Z') {
    cause[0] = static_cast<char>(cause[0] - 'A' + 'a');
  }
  return cause;
}

}  // namespace

Error HttpError(CURLcode code, bool sent, std::string_view detail) {
  if (IsWronglySigned(code, detail)) {
    return Fail(ErrorCode::kUnavailable,
                "the server's certificate is not signed by the trusted CA of its issuer's name: " +
                    Cause(code, detail),
                "TLS_UNTRUSTED");
  }
  return Fail(CodeOf(code), Cause(code, detail), ReasonOf(code, sent));
}

Error ConnectError(long errno_value, std::string_view unix_socket) {
  std::string what = "connect";
  if (!unix_socket.empty()) what += " to " + Quoted(unix_socket);
  if (errno_value != 0) what = ErrnoError(static_cast<int>(errno_value), what).message;
  return Fail(ErrorCode::kUnavailable, std::move(what), "CONNECT_FAILED");
}

}  // namespace tidewaiter::io
