#include "audit/public_keys.h"

#include <algorithm>
#include <utility>

#include "audit/segment_name.h"
#include "base/durable_file.h"

namespace tidewaiter::audit {

std::vector<VerifierKey> ReadPublicKeys(std::string_view text) {
  std::vector<VerifierKey> keys;
  while (!text.empty() && keys.size() < kMaxPublicKeys) {
    const std::size_t feed = text.find('\n');
    auto key = VerifierKey::Parse(text.substr(0, feed));
    if (key && std::find(keys.begin(), keys.end(), *key) == keys.end()) {
      keys.push_back(*std::move(key));
    }
    text.remove_prefix(feed == std::string_view::npos ? text.size() : feed + 1);
  }
  return keys;
}

Result<std::vector<VerifierKey>> LoadPublicKeys(int directory) {
  const auto text = ReadOwnFile(directory, kPublicKeyName, kMaxPublicKeyFileBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::vector<VerifierKey>();
  if (!text) return text.error();
  return ReadPublicKeys(*text);
}

}  // namespace tidewaiter::audit
