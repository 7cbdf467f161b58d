#include "tests/support/test_certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace tidewaiter::testing {
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
  Check(X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(name.data()),
                                   static_cast<int>(name.size()), -1, 0) == 1);
  return certificate;
}

using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

Memory NewMemory() {
  Memory memory(BIO_new(BIO_s_mem()), &BIO_free);
  Check(memory != nullptr);
  return memory;
}

std::string TextOf(BIO* memory) {
  std::string text(BIO_ctrl_pending(memory), '\0');
  const int size = static_cast<int>(text.size());
  Check(BIO_read(memory, text.data(), size) == size);
  return text;
}

std::string PemOf(X509* certificate) {
  const Memory memory = NewMemory();
  Check(PEM_write_bio_X509(memory.get(), certificate) == 1);
  return TextOf(memory.get());
}

}  // namespace

TestAuthority::TestAuthority(const std::string& name)
    : key_(NewKey()), certificate_(NewCertificate(key_.get(), name, 1, -kDay, kDay)) {
  X509* const raw = certificate_.get();
  Check(X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1);
  AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign");
  Check(X509_sign(raw, key_.get(), EVP_sha256()) > 0);
}

std::string TestAuthority::pem() const {
  return PemOf(certificate_.get());
}

std::string TestAuthority::file_name() const {
  std::array<char, 16> name{};
  (void)std::snprintf(
      name.data(), name.size(), "%08lx.0",
      X509_NAME_hash_ex(X509_get_subject_name(certificate_.get()), nullptr, nullptr, nullptr));
  return name.data();
}

std::string TestAuthority::Issued::certificate_pem() const {
  return PemOf(certificate.get());
}

std::string TestAuthority::Issued::key_pem(const std::string& passphrase) const {
  const Memory memory = NewMemory();
  const bool plain = passphrase.empty();
  Check(PEM_write_bio_PKCS8PrivateKey(memory.get(), key.get(), plain ? nullptr : EVP_aes_256_cbc(),
                                      passphrase.data(), static_cast<int>(passphrase.size()),
                                      nullptr, nullptr) == 1);
  return TextOf(memory.get());
}

TestAuthority::Issued TestAuthority::Issue(const std::string& names, bool expired) const {
  TestKey key = NewKey();
  TestCertificate certificate =
      NewCertificate(key.get(), "localhost", 2, -2 * kDay, expired ? -kDay : kDay);
  X509* const raw = certificate.get();
  Check(X509_set_issuer_name(raw, X509_get_subject_name(certificate_.get())) == 1);
  AddExtension(raw, certificate_.get(), NID_subject_alt_name, names);
  Check(X509_sign(raw, key_.get(), EVP_sha256()) > 0);
  return {.key = std::move(key), .certificate = std::move(certificate)};
}

TestAuthority::Issued TestAuthority::IssueTo(const std::string& common_name) const {
  TestKey key = NewKey();
  TestCertificate certificate = NewCertificate(key.get(), common_name, 3, -kDay, kDay);
  X509* const raw = certificate.get();
  Check(X509_set_issuer_name(raw, X509_get_subject_name(certificate_.get())) == 1);
  AddExtension(raw, certificate_.get(), NID_ext_key_usage, "clientAuth");
  Check(X509_sign(raw, key_.get(), EVP_sha256()) > 0);
  return {.key = std::move(key), .certificate = std::move(certificate)};
}

}  // namespace tidewaiter::testing
