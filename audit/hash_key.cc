#include "audit/hash_key.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <optional>

namespace tidewaiter::audit {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::optional<unsigned char> ByteOf(std::string_view two) {
  const std::size_t high = kDigits.find(two[0]);
  const std::size_t low = kDigits.find(two[1]);
  if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned char>(high * 16 + low);
}

}  // namespace

HashKey::HashKey(HashKey&& other) noexcept : bytes_(other.bytes_) {
  ::OPENSSL_cleanse(other.bytes_.data(), other.bytes_.size());
}

HashKey::~HashKey() {
  ::OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

Result<HashKey> HashKey::Generate() {
  HashKey key;
  if (::RAND_priv_bytes(key.bytes_.data(), static_cast<int>(key.bytes_.size())) != 1) {
    return Fail(ErrorCode::kInternal, "make hash key: the cryptographic library failed");
  }
  return key;
}

Result<HashKey> HashKey::Parse(std::string_view text) {
  HashKey key;
  bool good = text.size() == 2 * key.bytes_.size() + 1 && text.back() == '\n';
  for (std::size_t i = 0; good && i < key.bytes_.size(); ++i) {
    const std::optional<unsigned char> byte = ByteOf(text.substr(2 * i, 2));
    good = byte.has_value();
    key.bytes_[i] = byte.value_or(0);
  }
  if (good) return key;
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("read hash key: it is not {} lower-case hexadecimal digits and a line "
                          "feed; restore it, or move it away: a new one is made then, under which "
                          "older hashes cannot be looked up",
                          2 * key.bytes_.size()),
              "UNTRUSTED_KEY");
}

std::string HashKey::ToString() const {
  std::string text;
  text.reserve(2 * bytes_.size() + 1);  // so that it grows without leaving a copy
  for (const unsigned char byte : bytes_) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  text += '\n';
  return text;
}

std::string HashKey::Hash(std::string_view value) const {
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  // Only want of memory, or a library without SHA-256, makes it fail.
  if (::HMAC(::EVP_sha256(), bytes_.data(), static_cast<int>(bytes_.size()),
             reinterpret_cast<const unsigned char*>(value.data()), value.size(), digest.data(),
             &size) == nullptr ||
      size != digest.size()) {
    std::abort();
  }
  return fmt::format("hmac-sha256:{:02x}", fmt::join(digest, ""));
}

}  // namespace tidewaiter::audit
