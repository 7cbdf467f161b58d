// A copy of a JSON text for nlohmann's parser, which ends at a number beyond a double and at what
// other programs write for one that is not finite (NaN, Infinity). Each of these is one field's
// fault and hides no other: in the copy it is a number that no field takes. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidewaiter::wire {

class FittedJson {
 public:
  explicit FittedJson(std::string_view json);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  // Where that place of the copy was.
  [[nodiscard]] std::size_t Original(std::size_t at) const noexcept;

 private:
  std::string text_;
  // Ends of what was replaced, in the copy and in the text.
  std::vector<std::pair<std::size_t, std::size_t>> anchors_;
};

}  // namespace tidewaiter::wire
