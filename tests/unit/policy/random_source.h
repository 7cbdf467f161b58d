// Choices for the property tests, the same in every run of one seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tidewaiter::policy {

class RandomSource {
 public:
  explicit RandomSource(std::uint32_t seed) : random_(seed) {}

  std::size_t Below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }
  bool Chance(std::size_t percent) { return Below(100) < percent; }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }
  std::string Text(const std::vector<const char*>& from) { return Pick(from); }
  // Each element or not, in order.
  template <typename T>
  std::vector<T> Some(const std::vector<T>& from) {
    std::vector<T> some;
    for (const T& each : from) {
      if (Chance(50)) some.push_back(each);
    }
    return some;
  }

 private:
  std::mt19937 random_;
};

}  // namespace tidewaiter::policy
