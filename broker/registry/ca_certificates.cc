#include "broker/registry/ca_certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <limits>
#include <memory>

namespace tidewaiter::registry {
namespace {

struct BioDeleter {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
struct CertificateDeleter {
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};

Error Bad(const char* why) {
  return Fail(ErrorCode::kInvalidArgument, std::string("read CA certificates: ") + why, "CA_FILE");
}

}  // namespace

Result<std::size_t> CountCaCertificates(std::string_view pem) {
  if (pem.size() > std::numeric_limits<int>::max()) return Bad("the text is too long");
  const std::unique_ptr<BIO, BioDeleter> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) return Fail(ErrorCode::kResourceExhausted, "read CA certificates: out of memory");
  std::size_t count = 0;
  ERR_clear_error();
  while (std::unique_ptr<X509, CertificateDeleter>(
      PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr))) {
    ++count;
  }
  // The end of the text is told as an error too, by its own code.
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) return Bad("a certificate is damaged or cut off");
  if (count == 0) return Bad("there is no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  return count;
}

}  // namespace tidewaiter::registry
