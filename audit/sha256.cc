#include "audit/sha256.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <cstdlib>

namespace tidewaiter::audit {
namespace {

// Looked up once: EVP_sha256() makes OpenSSL 3 search its providers at each initialisation
// (openssl-evp(7), "Explicit fetching"), which takes longer than to hash a line.
const EVP_MD* Algorithm() {
  static EVP_MD* const algorithm = ::EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

}  // namespace

// Only want of memory, or a library without SHA-256, makes these calls fail.
Sha256::Sha256() : context_(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free) {
  if (!context_ || ::EVP_DigestInit_ex2(context_.get(), Algorithm(), nullptr) != 1) std::abort();
}

// Without an algorithm the one that the context has is begun anew.
void Sha256::Begin() {
  if (::EVP_DigestInit_ex2(context_.get(), nullptr, nullptr) != 1) std::abort();
}

void Sha256::Add(std::string_view bytes) {
  if (::EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) std::abort();
}

Sha256::Digest Sha256::Finish() {
  Digest digest{};
  unsigned int size = 0;
  if (::EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1) std::abort();
  Begin();
  return digest;
}

Sha256::Digest Sha256::Of(std::string_view bytes) {
  Sha256 hash;
  hash.Add(bytes);
  return hash.Finish();
}

std::string ToString(const Sha256::Digest& digest) {
  return fmt::format("sha256:{:02x}", fmt::join(digest, ""));
}

}  // namespace tidewaiter::audit
