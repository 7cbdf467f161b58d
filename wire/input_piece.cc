#include "wire/input_piece.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::wire {
namespace {

using Wire = google::protobuf::internal::WireFormatLite;

constexpr std::uint32_t kInputTag =
    Wire::MakeTag(v1::RunRequest::kInputFieldNumber, Wire::WIRETYPE_LENGTH_DELIMITED);
constexpr std::uint32_t kNameTag =
    Wire::MakeTag(v1::InputPiece::kNameFieldNumber, Wire::WIRETYPE_LENGTH_DELIMITED);
constexpr std::uint32_t kDataTag =
    Wire::MakeTag(v1::InputPiece::kDataFieldNumber, Wire::WIRETYPE_LENGTH_DELIMITED);
constexpr std::uint32_t kLastTag =
    Wire::MakeTag(v1::InputPiece::kLastFieldNumber, Wire::WIRETYPE_VARINT);
constexpr std::uint32_t kMaxName = 255;
using Stream = google::protobuf::io::CodedInputStream;

// A number in as few bytes as it takes. Of the longer forms the two readers of protobuf, this
// stream and the parser of messages, accept different ones.
std::optional<std::uint64_t> ReadVarint(Stream& stream) {
  const int begin = stream.CurrentPosition();
  std::uint64_t value = 0;
  if (!stream.ReadVarint64(&value)) return std::nullopt;
  if (stream.CurrentPosition() - begin != static_cast<int>(Wire::UInt64Size(value))) {
    return std::nullopt;
  }
  return value;
}

// The tag, 0 at the end; nothing where it is written in another way.
std::optional<std::uint32_t> ReadTag(Stream& stream) {
  const int begin = stream.CurrentPosition();
  const std::uint32_t tag = stream.ReadTag();
  if (tag != 0 && stream.CurrentPosition() - begin != static_cast<int>(Wire::UInt32Size(tag))) {
    return std::nullopt;
  }
  return tag;
}

bool ReadName(Stream& stream, std::string& name) {
  const auto size = ReadVarint(stream);
  // Protobuf refuses what is not UTF-8.
  return size && *size <= kMaxName && stream.ReadString(&name, static_cast<int>(*size)) &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > 0; });
}

bool ReadData(Stream& stream, std::vector<std::string_view>& parts) {
  const auto size = ReadVarint(stream);
  if (!size) return false;
  for (std::uint64_t left = *size; left > 0;) {
    const void* at = nullptr;
    int here = 0;
    if (!stream.GetDirectBufferPointer(&at, &here)) return false;
    const int used =
        static_cast<int>(std::min<std::uint64_t>(left, static_cast<std::uint64_t>(here)));
    parts.emplace_back(static_cast<const char*>(at), used);
    stream.Skip(used);
    left -= static_cast<std::uint64_t>(used);
  }
  return true;
}

bool ReadLast(Stream& stream, bool& last) {
  const auto value = ReadVarint(stream);
  last = value.value_or(0) != 0;
  return value.has_value();
}

}  // namespace

std::optional<InputPieceView> ReadInputPiece(google::protobuf::io::ZeroCopyInputStream& message,
                                             std::size_t bytes) {
  Stream stream(&message);
  if (ReadTag(stream) != kInputTag) return std::nullopt;
  const auto size = ReadVarint(stream);
  if (!size || *size > bytes) return std::nullopt;
  if (static_cast<std::size_t>(stream.CurrentPosition()) + *size != bytes) return std::nullopt;
  InputPieceView piece;
  std::uint32_t before = 0;
  for (;;) {
    const auto next = ReadTag(stream);
    if (!next) return std::nullopt;
    const std::uint32_t tag = *next;
    if (tag == 0) break;
    // In the order of their numbers, as every implementation writes them; none twice.
    if (tag <= before) return std::nullopt;
    before = tag;
    const bool sound = (tag == kNameTag && ReadName(stream, piece.name)) ||
                       (tag == kDataTag && ReadData(stream, piece.data)) ||
                       (tag == kLastTag && ReadLast(stream, piece.last));
    if (!sound) return std::nullopt;
  }
  if (!stream.ConsumedEntireMessage()) return std::nullopt;
  return piece;
}

}  // namespace tidewaiter::wire
