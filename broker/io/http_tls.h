// What libcurl is told about TLS. Pure but for the handle; any thread.
#pragma once

#include <curl/curl.h>

#include <optional>
#include <string>
#include <string_view>

#include "broker/io/tls_identity.h"

namespace tidewaiter::io {

// `pem` is trusted besides the system's CAs. Borrowed until the handle is gone. False: no memory.
bool TrustBesides(CURL* handle, std::string_view pem);

// All of `identity` but its server_name. Borrowed until the handle is gone. False: no memory.
// That a connection of one identity is not used for another is libcurl's doing: it compares
// certificate, CAs and verification (Curl_ssl_config_matches). The key it leaves out, which would
// only matter to two identities of one certificate and two keys, one of them wrong: the one that
// does not fit would go unnoticed while a connection of the other is open.
bool UseIdentity(CURL* handle, const TlsIdentity& identity);

// How a request is sent so that the server is known by another name than the URL's host. libcurl
// verifies, and asks by SNI for, the URL's host: that becomes the name, and the connection is
// turned to where it should go (CURLOPT_CONNECT_TO).
struct NamedRoute {
  std::string url;         // the same with the name for its host
  std::string connect_to;  // an entry of CURLOPT_CONNECT_TO
  std::string host;        // the Host header: the authority of the URL as it was
};

// Nothing where `url` is no "https://HOST[:PORT][/...]", or `server_name` neither a DNS name nor an
// IP address.
std::optional<NamedRoute> RouteByName(std::string_view url, std::string_view server_name);

}  // namespace tidewaiter::io
