// How often each text came, in memory that does not grow with what comes. Plain data, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tidewaiter::audit {

// The first `max_keys` different texts are counted exactly. Those that first come once there are so
// many are counted together, as the rest. A text is cut to kMaxKeyBytes.
class TopCounts {
 public:
  static constexpr std::size_t kMaxKeyBytes = 512;
  static constexpr std::size_t kMaxKeys = 10'000;
  explicit TopCounts(std::size_t max_keys = kMaxKeys) : max_keys_(max_keys) {}

  void Add(std::string_view key);

  struct Counted {
    std::string key;
    std::uint64_t count = 0;
  };
  // The most frequent, and by name where they are as frequent; at most `most`.
  [[nodiscard]] std::vector<Counted> Top(std::size_t most) const;
  [[nodiscard]] std::uint64_t CountOf(std::string_view key) const;
  [[nodiscard]] std::size_t keys() const noexcept { return counts_.size(); }
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  // Counted, but no longer by their text. Not zero: a text among them could be a frequent one.
  [[nodiscard]] std::uint64_t rest() const noexcept { return rest_; }

 private:
  std::size_t max_keys_;
  std::map<std::string, std::uint64_t, std::less<>> counts_;
  std::uint64_t total_ = 0;
  std::uint64_t rest_ = 0;
};

}  // namespace tidewaiter::audit
