// Keys and certificates of a test's own, new in each process: nothing to keep, nothing to expire.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace tidewaiter::testing {

using TestKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using TestCertificate = std::unique_ptr<X509, decltype(&X509_free)>;

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "Test CA");

  [[nodiscard]] std::string pem() const;
  // The name under which OpenSSL looks for it in a folder of CAs.
  [[nodiscard]] std::string file_name() const;

  struct Issued {
    TestKey key;
    TestCertificate certificate;
    [[nodiscard]] std::string certificate_pem() const;
    // `passphrase`: the key is encrypted by it.
    [[nodiscard]] std::string key_pem(const std::string& passphrase = "") const;
  };
  // A server's. `names` as in subjectAltName: "DNS:localhost,IP:127.0.0.1". `expired`: it was good
  // yesterday.
  [[nodiscard]] Issued Issue(const std::string& names, bool expired = false) const;
  // A client's.
  [[nodiscard]] Issued IssueTo(const std::string& common_name) const;

 private:
  TestKey key_;
  TestCertificate certificate_;
};

}  // namespace tidewaiter::testing
