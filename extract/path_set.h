// The paths that an archive has brought so far, to tell what comes twice. It keeps digests, not the
// paths, so that its size does not grow with their length. Who makes two paths collide has his own
// archive refused, no more. One thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace tidewaiter::extract {

enum class PathKind : std::uint8_t { kFile, kFolder, kImpliedFolder };

class PathSet {
 public:
  // Null where it is new.
  [[nodiscard]] PathKind* Find(std::string_view path);
  void Add(std::string_view path, PathKind kind);
  [[nodiscard]] std::size_t size() const noexcept { return kinds_.size(); }

 private:
  std::unordered_map<std::uint64_t, PathKind> kinds_;
};

}  // namespace tidewaiter::extract
