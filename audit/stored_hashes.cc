#include "audit/stored_hashes.h"

#include <bit>

namespace tidewaiter::audit {

std::uint64_t StoredHashes(std::uint64_t leaves) noexcept {
  return 2 * leaves - static_cast<std::uint64_t>(std::popcount(leaves));
}

// It is made perfect by its last leaf, and comes so many places after that as it is levels above.
std::uint64_t StoredPlace(unsigned level, std::uint64_t number) noexcept {
  const std::uint64_t last = ((number + 1) << level) - 1;
  return StoredHashes(last) + level;
}

}  // namespace tidewaiter::audit
