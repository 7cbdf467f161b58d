#include "tests/unit/forward/test_certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>

namespace tidewaiter::forward {
namespace {

constexpr long kDay = 24 * 60 * 60;

void Check(bool done) {
  if (!done) std::abort();
}

TestKey NewKey() {
  TestKey key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  Check(key != nullptr);
  return key;
}

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), &X509_EXTENSION_free);
  Check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

TestCertificate NewCertificate(EVP_PKEY* key, const std::string& name, long serial, long first,
                               long last) {
  TestCertificate certificate(X509_new(), &X509_free);
  X509* const raw = certificate.get();
  Check(raw != nullptr && X509_set_version(raw, 2) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(raw), serial);
  X509_gmtime_adj(X509_getm_notBefore(raw), first);
  X509_gmtime_adj(X509_getm_notAfter(raw), last);
  Check(X509_set_pubkey(raw, key) == 1);
  const std::string& text = name;
  Check(X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()), -1, 0) == 1);
  return certificate;
}

}  // namespace

TestAuthority::TestAuthority()
    : key_(NewKey()), certificate_(NewCertificate(key_.get(), "Test CA", 1, -kDay, kDay)) {
  X509* const raw = certificate_.get();
  Check(X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1);
  AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign");
  Check(X509_sign(raw, key_.get(), EVP_sha256()) > 0);
}

std::string TestAuthority::pem() const {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  Check(PEM_write_bio_X509(bio.get(), certificate_.get()) == 1);
  std::string text(BIO_ctrl_pending(bio.get()), '\0');
  Check(BIO_read(bio.get(), text.data(), static_cast<int>(text.size())) ==
        static_cast<int>(text.size()));
  return text;
}

TestAuthority::Server TestAuthority::Issue(const std::string& names, bool expired) const {
  TestKey key = NewKey();
  TestCertificate certificate =
      NewCertificate(key.get(), "localhost", 2, -2 * kDay, expired ? -kDay : kDay);
  X509* const raw = certificate.get();
  Check(X509_set_issuer_name(raw, X509_get_subject_name(certificate_.get())) == 1);
  AddExtension(raw, certificate_.get(), NID_subject_alt_name, names);
  Check(X509_sign(raw, key_.get(), EVP_sha256()) > 0);
  return {.key = std::move(key), .certificate = std::move(certificate)};
}

}  // namespace tidewaiter::forward
