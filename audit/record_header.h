// What can be read of a line without a JSON parser: the members that every record has and those
// that queries ask for. Reads hostile bytes: linear, no recursion, no allocation. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidewaiter::audit {

// Texts are as they stand in the line, still escaped, without their quotes; compare them with
// JsonString(). They point into the line.
struct RecordHeader {
  std::string_view index_text;
  std::uint64_t index = 0;
  std::string_view time;
  std::string_view type;
  std::string_view run_id;     // empty: none
  std::string_view principal;  // empty: none
};

// The header of one line, given without its line feed. Nothing where the line is no whole record:
// not one balanced object from the first to the last byte, or without index, time or type.
std::optional<RecordHeader> ReadHeader(std::string_view line) noexcept;

}  // namespace tidewaiter::audit
