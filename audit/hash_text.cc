#include "audit/hash_text.h"

#include <algorithm>

#include "base/base64.h"

namespace tidewaiter::audit {

std::optional<Hash> HashFromBase64(std::string_view text) {
  const auto bytes = DecodePaddedBase64(text);
  Hash hash{};
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

std::string ToBase64(const Hash& hash) {
  return EncodeBase64(std::string(hash.begin(), hash.end()));
}

}  // namespace tidewaiter::audit
