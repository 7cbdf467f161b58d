// Names that the type system keeps apart: a ContainerId is not a RunId, and neither is a
// std::string.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace tidewaiter {

template <typename Tag>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& value() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
  friend auto operator<=>(const StrongId&, const StrongId&) = default;

 private:
  std::string value_;
};

using RunId = StrongId<struct RunIdTag>;        // 26 lower-case base32 characters: 16 random bytes
using BrokerId = StrongId<struct BrokerIdTag>;  // likewise; random once, kept in the state folder

// A fresh id of 128 random bits from getrandom(2), RFC 4648 base32 in lower case without padding.
// Aborts where the kernel gives no randomness: an id that could repeat must never be used.
std::string RandomId();

// Whether `text` has the form that RandomId() gives. For file names read back from disk.
bool IsRandomId(std::string_view text) noexcept;

}  // namespace tidewaiter

template <typename Tag>
struct std::hash<tidewaiter::StrongId<Tag>> {
  std::size_t operator()(const tidewaiter::StrongId<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.value());
  }
};
