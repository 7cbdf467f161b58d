#include "audit/top_counts.h"

#include <algorithm>

namespace tidewaiter::audit {
namespace {

// At the beginning of a character of UTF-8.
std::string_view Cut(std::string_view key) {
  if (key.size() <= TopCounts::kMaxKeyBytes) return key;
  std::size_t end = TopCounts::kMaxKeyBytes;
  while (end > 0 && (static_cast<unsigned char>(key[end]) & 0xC0U) == 0x80U) --end;
  return key.substr(0, end);
}

}  // namespace

void TopCounts::Add(std::string_view key) {
  key = Cut(key);
  ++total_;
  const auto found = counts_.find(key);
  if (found != counts_.end()) {
    ++found->second;
  } else if (counts_.size() < max_keys_) {
    counts_.emplace(key, 1);
  } else {
    ++rest_;
  }
}

std::vector<TopCounts::Counted> TopCounts::Top(std::size_t most) const {
  std::vector<Counted> all;
  all.reserve(counts_.size());
  for (const auto& [key, count] : counts_) all.push_back({key, count});
  std::stable_sort(all.begin(), all.end(),
                   [](const Counted& a, const Counted& b) { return a.count > b.count; });
  if (all.size() > most) all.resize(most);
  return all;
}

std::uint64_t TopCounts::CountOf(std::string_view key) const {
  const auto found = counts_.find(Cut(key));
  return found == counts_.end() ? 0 : found->second;
}

}  // namespace tidewaiter::audit
