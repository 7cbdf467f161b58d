// The chunks of an HTTP/1.1 body without an end that is known before (RFC 9112, 7.1), taken apart
// as they come: their bytes are handed on in place, so a chunk of any size costs nothing. One
// thread at a time; the bytes are a stranger's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::io {

class ChunkedBody {
 public:
  // Gets views into the data given to Feed, never empty, in order.
  using Sink = std::function<void(std::string_view)>;

  // What follows the last chunk is passed over. INTERNAL where it is no chunk; every further call
  // then fails alike.
  Result<void> Feed(std::string_view data, const Sink& sink);

  // The last chunk, which is empty, has come.
  [[nodiscard]] bool complete() const noexcept { return state_ == State::kComplete; }

 private:
  enum class State {
    kSize,
    kExtension,
    kSizeEnd,
    kData,
    kDataEnd,
    kDataLineEnd,
    kComplete,
    kBroken
  };
  // The state after that character, which is not of a chunk's data.
  State Next(char c);

  State state_ = State::kSize;
  std::uint64_t left_ = 0;      // of this chunk
  std::size_t line_bytes_ = 0;  // of the line that tells its size
};

}  // namespace tidewaiter::io
