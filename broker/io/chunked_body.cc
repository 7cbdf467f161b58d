#include "broker/io/chunked_body.h"

#include <algorithm>
#include <optional>

namespace tidewaiter::io {
namespace {

constexpr std::size_t kMaxSizeDigits = 15;  // far from where it would not fit
constexpr std::size_t kMaxLineBytes = 256;  // its extensions included

std::optional<std::uint64_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint64_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint64_t>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<std::uint64_t>(c - 'A') + 10;
  return std::nullopt;
}

}  // namespace

ChunkedBody::State ChunkedBody::Next(char c) {
  switch (state_) {
    case State::kSize:
      if (const auto digit = HexDigit(c); digit && line_bytes_ < kMaxSizeDigits) {
        left_ = left_ * 16 + *digit;
        ++line_bytes_;
        return State::kSize;
      }
      if (line_bytes_ == 0) return State::kBroken;
      if (c == '\r') return State::kSizeEnd;
      return c == ';' || c == ' ' || c == '\t' ? State::kExtension : State::kBroken;
    case State::kExtension:
      if (c == '\r') return State::kSizeEnd;
      return ++line_bytes_ < kMaxLineBytes && c != '\n' ? State::kExtension : State::kBroken;
    case State::kSizeEnd:
      if (c != '\n') return State::kBroken;
      line_bytes_ = 0;
      return left_ == 0 ? State::kComplete : State::kData;
    case State::kDataEnd: return c == '\r' ? State::kDataLineEnd : State::kBroken;
    case State::kDataLineEnd: return c == '\n' ? State::kSize : State::kBroken;
    case State::kData:
    case State::kComplete:
    case State::kBroken: break;
  }
  return state_;
}

Result<void> ChunkedBody::Feed(std::string_view data, const Sink& sink) {
  while (!data.empty() && state_ != State::kComplete && state_ != State::kBroken) {
    if (state_ != State::kData) {
      state_ = Next(data.front());
      data.remove_prefix(1);
      continue;
    }
    const std::string_view here = data.substr(0, std::min<std::uint64_t>(left_, data.size()));
    data.remove_prefix(here.size());
    left_ -= here.size();
    if (left_ == 0) state_ = State::kDataEnd;
    sink(here);
  }
  if (state_ == State::kBroken) {
    return Fail(ErrorCode::kInternal, "read an answer: its chunks are broken");
  }
  return Ok();
}

}  // namespace tidewaiter::io
