#include "audit/base64.h"

#include <openssl/evp.h>

#include <algorithm>

namespace tidewaiter::audit {
namespace {

// OpenSSL speaks unsigned char.
const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace

std::string ToBase64(std::string_view bytes) {
  // It ends what it writes with a NUL.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = ::EVP_EncodeBlock(Bytes(text), Bytes(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > kMaxBase64Bytes) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = ::EVP_DecodeBlock(Bytes(bytes), Bytes(text), static_cast<int>(text.size()));
  // It drops white space around the text.
  if (size != static_cast<int>(bytes.size())) return std::nullopt;
  // Nor does it count the padding, of which it takes any amount.
  const auto padding =
      std::count(text.end() - std::min<std::ptrdiff_t>(2, std::ssize(text)), text.end(), '=');
  bytes.resize(bytes.size() - static_cast<std::size_t>(padding));
  if (ToBase64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace tidewaiter::audit
