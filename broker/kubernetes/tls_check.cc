#include "broker/kubernetes/tls_check.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "broker/kubernetes/kubeconfig_entries.h"
#include "broker/registry/ca_certificates.h"

namespace tidewaiter::kubernetes {
namespace {

using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Memory Open(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free};
}

// In place of OpenSSL's own, which asks on the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Result<void> CheckPair(const std::string& certificate_pem, const std::string& key_pem) {
  const Memory certificate_text = Open(certificate_pem);
  const Memory key_text = Open(key_pem);
  const Certificate certificate(
      PEM_read_bio_X509_AUX(certificate_text.get(), nullptr, nullptr, nullptr), &X509_free);
  if (!certificate) return KubeconfigFault("client-certificate: no certificate in PEM");
  bool encrypted = false;
  const Key key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, &NoPassphrase, &encrypted),
                &EVP_PKEY_free);
  if (encrypted)
    return KubeconfigFault("client-key: it has a passphrase, which nobody is asked for");
  if (!key) return KubeconfigFault("client-key: no private key in PEM");
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return KubeconfigFault("client-key: it does not fit the client-certificate");
  }
  return Ok();
}

}  // namespace

Result<void> CheckTlsIdentity(const io::TlsIdentity& identity) {
  if (!identity.ca_certificates.empty()) {
    const Result<std::size_t> count = registry::CountCaCertificates(identity.ca_certificates);
    if (!count) return KubeconfigFault("certificate-authority: " + count.error().message);
    if (!identity.verify) {
      return KubeconfigFault(
          "certificate-authority: not together with insecure-skip-tls-verify, which would pass it "
          "over");
    }
  }
  if (identity.certificate.empty() && identity.key.empty()) return Ok();
  if (identity.certificate.empty())
    return KubeconfigFault("client-key: without a client-certificate");
  if (identity.key.empty()) return KubeconfigFault("client-certificate: without a client-key");
  Result<void> checked = CheckPair(identity.certificate, identity.key);
  ERR_clear_error();
  return checked;
}

}  // namespace tidewaiter::kubernetes
