// Whom a connection by TLS trusts and who it says it is. Plain data; holds a private key: never
// print it.
#pragma once

#include <string>

namespace tidewaiter::io {

struct TlsIdentity {
  // PEM. Where not empty, the server's certificate must come from one of these: the system's CAs
  // are not trusted besides. Empty: the system's alone.
  std::string ca_certificates;
  // PEM of the client's certificate (its own first, then those between it and its CA) and of its
  // private key, without a passphrase. Both or neither.
  std::string certificate;
  std::string key;
  // False: whoever answers is believed. For development only.
  bool verify = true;
  // The DNS name or IP address that the server's certificate must have, and that is asked for
  // (SNI), in place of the URL's host; that is where the connection goes, and the Host header says.
  std::string server_name;

  friend bool operator==(const TlsIdentity&, const TlsIdentity&) = default;
};

}  // namespace tidewaiter::io
