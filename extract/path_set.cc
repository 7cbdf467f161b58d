#include "extract/path_set.h"

#include <sys/random.h>

#include <bit>
#include <functional>
#include <utility>

namespace tidewaiter::extract {
namespace {

constexpr std::uint64_t kKindBits = 3;
constexpr std::size_t kFirstSlots = 1024;

std::uint64_t DigestOf(std::string_view path) {
  return std::hash<std::string_view>()(path) & ~kKindBits;
}

std::uint64_t RandomOdd() {
  std::uint64_t number = 0;
  const ssize_t got = ::getrandom(&number, sizeof(number), GRND_NONBLOCK);
  // Without it the set is right all the same; only its speed could be attacked.
  constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15U;
  return (got == sizeof(number) ? number : kGoldenRatio) | 1U;
}

}  // namespace

PathSet::PathSet() : slots_(kFirstSlots), spread_(RandomOdd()) {}

std::size_t PathSet::SlotOf(const std::vector<std::uint64_t>& slots, std::uint64_t digest) const {
  const auto bits = static_cast<unsigned>(std::countr_zero(slots.size()));
  auto slot = static_cast<std::size_t>((digest * spread_) >> (64U - bits));
  while (slots[slot] != 0 && (slots[slot] & ~kKindBits) != digest) {
    slot = (slot + 1) & (slots.size() - 1);
  }
  return slot;
}

std::optional<PathKind> PathSet::Find(std::string_view path) const {
  const std::uint64_t found = slots_[SlotOf(slots_, DigestOf(path))];
  if (found == 0) return std::nullopt;
  return static_cast<PathKind>((found & kKindBits) - 1);
}

void PathSet::Add(std::string_view path, PathKind kind) {
  const std::uint64_t digest = DigestOf(path);
  std::uint64_t& slot = slots_[SlotOf(slots_, digest)];
  const bool is_new = slot == 0;
  slot = digest | (static_cast<std::uint64_t>(kind) + 1);
  if (is_new && ++size_ * 2 > slots_.size()) Grow();
}

void PathSet::Grow() {
  std::vector<std::uint64_t> larger(slots_.size() * 2);
  for (const std::uint64_t slot : slots_) {
    if (slot != 0) larger[SlotOf(larger, slot & ~kKindBits)] = slot;
  }
  slots_ = std::move(larger);
}

}  // namespace tidewaiter::extract
