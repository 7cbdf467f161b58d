// The messages that most of a stream's bytes come in, RunRequest.input, read where they lie:
// nothing of the data is copied. Pure; any thread.
#pragma once

#include <google/protobuf/io/zero_copy_stream.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidewaiter::wire {

struct InputPieceView {
  std::string name;
  std::vector<std::string_view> data;  // in its order, valid as long as the message is
  bool last = false;
};

// Nothing where the message, of `bytes` bytes, is any other, or one written in another way than the
// usual (a field twice or unknown, a number padded, a name that is long or not ASCII): those are
// protobuf's to parse, and what they are is its to say.
std::optional<InputPieceView> ReadInputPiece(google::protobuf::io::ZeroCopyInputStream& message,
                                             std::size_t bytes);

}  // namespace tidewaiter::wire
