#include "broker/io/line_splitter.h"

#include <utility>

namespace tidewaiter::io {
namespace {

std::string_view WithoutReturn(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

}  // namespace

bool LineSplitter::Feed(std::string_view data,
                        const std::function<bool(std::string_view)>& on_line) {
  while (!data.empty()) {
    const std::size_t end = data.find('\n');
    const bool complete = end != std::string_view::npos;
    std::string_view piece = data.substr(0, end);
    data.remove_prefix(complete ? end + 1 : data.size());

    if (!skipping_ && partial_.size() + piece.size() > max_line_bytes_) {
      skipping_ = true;
      ++oversized_;
      partial_ = {};
    }
    if (skipping_) {
      skipping_ = !complete;
      continue;
    }
    if (!complete) {
      partial_ += piece;
      continue;
    }
    std::string whole;
    if (!partial_.empty()) {
      whole = std::move(partial_);
      partial_.clear();
      whole += piece;
      piece = whole;
    }
    piece = WithoutReturn(piece);
    if (!piece.empty() && !on_line(piece)) return false;
  }
  return true;
}

}  // namespace tidewaiter::io
