#include "broker/files/sha256.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <array>
#include <cstdlib>
#include <span>

namespace tidewaiter::files {

// Only want of memory, or a library without SHA-256, makes these calls fail.
Sha256::Sha256() : context_(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free) {
  if (!context_ || ::EVP_DigestInit_ex(context_.get(), ::EVP_sha256(), nullptr) != 1) std::abort();
}

void Sha256::Add(std::string_view bytes) {
  if (::EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) std::abort();
}

std::string Sha256::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (::EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1) std::abort();
  return fmt::format("sha256:{:02x}", fmt::join(std::span(digest).first(size), ""));
}

}  // namespace tidewaiter::files
