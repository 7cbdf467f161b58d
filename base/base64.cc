#include "base/base64.h"

#include <algorithm>
#include <cstdint>

namespace tidewaiter {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlSafe =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kMaxEncoded = std::size_t{64} << 10U;

std::string Encode(std::string_view bytes, std::string_view alphabet) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      const std::uint32_t byte =
          k < count ? static_cast<unsigned char>(bytes[i + k]) : std::uint32_t{0};
      group = (group << 8U) | byte;
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= count ? alphabet[(group >> (18U - 6U * k)) & 0x3FU] : '=';
    }
  }
  return out;
}

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  return Encode(bytes, kStandard);
}

std::string EncodeBase64Url(std::string_view bytes) {
  return Encode(bytes, kUrlSafe);
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() > kMaxEncoded) return std::nullopt;
  if (text.size() % 4 == 0) {
    for (int padding = 0; padding < 2 && !text.empty() && text.back() == '='; ++padding) {
      text.remove_suffix(1);
    }
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  std::uint32_t count = 0;
  for (const char c : text) {
    const std::size_t value = kStandard.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xFFU);
      bits &= (1U << count) - 1U;
    }
  }
  if (bits != 0) return std::nullopt;  // left-over bits that no encoder writes
  return out;
}

std::optional<std::string> DecodePaddedBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  return DecodeBase64(text);
}

}  // namespace tidewaiter
