// Keys and certificates of a test's own, new in each process: nothing to keep, nothing to expire.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace tidewaiter::forward {

using TestKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using TestCertificate = std::unique_ptr<X509, decltype(&X509_free)>;

class TestAuthority {
 public:
  TestAuthority();

  [[nodiscard]] std::string pem() const;

  struct Server {
    TestKey key;
    TestCertificate certificate;
  };
  // `names` as in subjectAltName: "DNS:localhost,IP:127.0.0.1". `expired`: it was good yesterday.
  [[nodiscard]] Server Issue(const std::string& names, bool expired = false) const;

 private:
  TestKey key_;
  TestCertificate certificate_;
};

}  // namespace tidewaiter::forward
