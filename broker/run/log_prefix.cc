#include "broker/run/log_prefix.h"

#include <array>

namespace tidewaiter::run {

LogPrefix::LogPrefix() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
}

void LogPrefix::Add(std::string_view data) {
  EVP_DigestUpdate(context_.get(), data.data(), data.size());
  bytes_ += data.size();
}

std::string LogPrefix::Digest() const {
  // Of a copy: more may be added to this one.
  const std::unique_ptr<EVP_MD_CTX, ContextDeleter> copy(EVP_MD_CTX_new());
  EVP_MD_CTX_copy_ex(copy.get(), context_.get());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_DigestFinal_ex(copy.get(), digest.data(), &length);
  return {digest.begin(), digest.begin() + length};
}

bool LogPrefix::SameAs(const LogPrefix& other) const {
  return bytes_ == other.bytes_ && Digest() == other.Digest();
}

}  // namespace tidewaiter::run
