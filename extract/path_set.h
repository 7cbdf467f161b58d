// The paths that an archive has brought so far, to tell what comes twice. It keeps digests, not the
// paths, so that its size does not grow with their length. Who makes two paths collide has his own
// archive refused, no more. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tidewaiter::extract {

enum class PathKind : std::uint8_t { kFile, kFolder, kImpliedFolder };

class PathSet {
 public:
  PathSet();

  // Nothing where it is new.
  [[nodiscard]] std::optional<PathKind> Find(std::string_view path) const;
  // Or changes its kind.
  void Add(std::string_view path, PathKind kind);
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  // Eight bytes for each path: a digest whose two lowest bits are the kind and one, 0 where the
  // slot is free.
  [[nodiscard]] std::size_t SlotOf(const std::vector<std::uint64_t>& slots,
                                   std::uint64_t digest) const;
  void Grow();

  std::vector<std::uint64_t> slots_;  // 2^n of them, at most half in use, probed one by one
  std::size_t size_ = 0;
  std::uint64_t spread_;  // random and odd: nobody outside knows which paths share a slot
};

}  // namespace tidewaiter::extract
