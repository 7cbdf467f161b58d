// Bytes that are handed on without being copied: where they lie, in one part or in several, and
// what keeps them there. Nobody changes them. A copy of this shares them. Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidewaiter {

class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    if (!owner->empty()) parts_.emplace_back(*owner);
    size_ = owner->size();
    owner_ = std::move(owner);
  }
  // `parts`: in their order, none of them empty, valid as long as `owner` is there.
  SharedBytes(std::vector<std::string_view> parts, std::shared_ptr<const void> owner)
      : parts_(std::move(parts)), owner_(std::move(owner)) {
    for (const std::string_view part : parts_) size_ += part.size();
  }

  [[nodiscard]] const std::vector<std::string_view>& parts() const noexcept { return parts_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // A copy, in one part.
  [[nodiscard]] std::string Joined() const {
    std::string joined;
    joined.reserve(size_);
    for (const std::string_view part : parts_) joined += part;
    return joined;
  }

 private:
  std::vector<std::string_view> parts_;
  std::shared_ptr<const void> owner_;
  std::size_t size_ = 0;
};

}  // namespace tidewaiter
