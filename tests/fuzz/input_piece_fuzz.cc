// Any bytes as a message of a run's stream, cut anywhere. What is taken for an input's piece is one
// to protobuf too, and the same.
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "tidewaiter/v1/broker.pb.h"
#include "wire/input_piece.h"

// The first byte says how long the slices are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidewaiter;
  if (size == 0) return 0;
  const int slice = *data++ + 1;
  --size;
  google::protobuf::io::ArrayInputStream stream(data, static_cast<int>(size), slice);
  const auto piece = wire::ReadInputPiece(stream, size);
  if (!piece) return 0;
  v1::RunRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size)) || !request.has_input()) std::abort();
  std::string joined;
  for (const std::string_view part : piece->data) joined += part;
  if (piece->name != request.input().name() || piece->last != request.input().last() ||
      joined != request.input().data()) {
    std::abort();
  }
  return 0;
}
