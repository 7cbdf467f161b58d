#include "broker/io/http_tls.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace tidewaiter::io {
namespace {

constexpr std::string_view kScheme = "https://";
constexpr std::size_t kMaxNameLength = 253;

bool SetBlob(CURL* handle, CURLoption option, std::string_view bytes) {
  curl_blob blob{};
  // libcurl's C interface takes no const; it only reads. Not copied: a key should not be in more
  // places than need be.
  blob.data = const_cast<char*>(bytes.data());
  blob.len = bytes.size();
  blob.flags = CURL_BLOB_NOCOPY;
  return curl_easy_setopt(handle, option, &blob) == CURLE_OK;
}

bool SetText(CURL* handle, CURLoption option, const char* text) {
  return curl_easy_setopt(handle, option, text) == CURLE_OK;
}

bool UseClientCertificate(CURL* handle, const TlsIdentity& identity) {
  if (identity.certificate.empty() && identity.key.empty()) return true;
  return SetBlob(handle, CURLOPT_SSLCERT_BLOB, identity.certificate) &&
         SetText(handle, CURLOPT_SSLCERTTYPE, "PEM") &&
         SetBlob(handle, CURLOPT_SSLKEY_BLOB, identity.key) &&
         SetText(handle, CURLOPT_SSLKEYTYPE, "PEM") &&
         // A key with a passphrase is refused: without this OpenSSL would ask for it on the
         // terminal, or libcurl 7.88 read through a null pointer.
         SetText(handle, CURLOPT_KEYPASSWD, "");
}

bool IsIpv6(const std::string& text) {
  std::array<unsigned char, 16> address{};
  return ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

// A DNS name as servers have it, or an IPv4 address: nothing that means something else in a URL.
bool IsName(std::string_view text) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  return !text.empty() && text.size() <= kMaxNameLength &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

// Where in "HOST", "HOST:PORT" or "[ADDRESS]:PORT" the host ends.
std::size_t EndOfHost(std::string_view authority) {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return authority.size();
  return bracket != std::string_view::npos && colon < bracket ? authority.size() : colon;
}

}  // namespace

// The blob takes the place of the system's bundle, but not of the folder beside it, which is named
// so that this holds however libcurl was built.
bool TrustBesides(CURL* handle, std::string_view pem) {
  return SetBlob(handle, CURLOPT_CAINFO_BLOB, pem) &&
         SetText(handle, CURLOPT_CAPATH, "/etc/ssl/certs");
}

bool UseIdentity(CURL* handle, const TlsIdentity& identity) {
  if (!identity.ca_certificates.empty() &&
      !(SetBlob(handle, CURLOPT_CAINFO_BLOB, identity.ca_certificates) &&
        SetText(handle, CURLOPT_CAPATH, nullptr))) {
    return false;
  }
  if (!identity.verify && (curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L) != CURLE_OK ||
                           curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L) != CURLE_OK)) {
    return false;
  }
  return UseClientCertificate(handle, identity);
}

std::optional<NamedRoute> RouteByName(std::string_view url, std::string_view server_name) {
  const std::string name(server_name);
  const bool ipv6 = IsIpv6(name);
  if (!url.starts_with(kScheme) || (!ipv6 && !IsName(name))) return std::nullopt;
  const std::size_t end = std::min(url.find_first_of("/?#", kScheme.size()), url.size());
  const std::string authority(url.substr(kScheme.size(), end - kScheme.size()));
  const std::string host = authority.substr(0, EndOfHost(authority));
  const std::string given = authority.substr(host.size());  // ":PORT" or nothing
  const std::string port = given.size() > 1 ? given : ":443";
  if (host.empty() || authority.find('@') != std::string::npos) return std::nullopt;
  NamedRoute route;
  route.url = std::string(kScheme) + (ipv6 ? "[" + name + "]" : name) + port;
  route.url.append(url.substr(end));
  route.connect_to = "::" + host + port;  // of any host and port: there is but one
  route.host = authority;
  return route;
}

}  // namespace tidewaiter::io
