#include "audit/public_keys.h"

#include <algorithm>
#include <utility>

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

}  // namespace tidewaiter::audit
