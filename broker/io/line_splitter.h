// Cuts an endless stream into lines of bounded length: an engine's events and pull progress and a
// cluster's watches are one JSON object per line. One thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace tidewaiter::io {

class LineSplitter {
 public:
  explicit LineSplitter(std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  // Calls `on_line` for every line that is complete, without its "\n" or "\r\n"; empty lines are
  // left out. A line of more than max_line_bytes is skipped to its end and counted. `on_line`
  // returns false to stop: the rest of `data` is dropped and Feed returns false.
  bool Feed(std::string_view data, const std::function<bool(std::string_view)>& on_line);

  // Lines skipped so far.
  [[nodiscard]] std::size_t oversized() const noexcept { return oversized_; }

 private:
  std::size_t max_line_bytes_;
  std::string partial_;
  bool skipping_ = false;
  std::size_t oversized_ = 0;
};

}  // namespace tidewaiter::io
