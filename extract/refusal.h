// Why an archive is refused: a stable code for programs, a sentence for people, the entry.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace tidewaiter::extract {

enum class Code {
  kAbsolute,
  kDotDot,
  kSymbolicLink,
  kHardLink,
  kDevice,
  kFifo,
  kSocket,
  kUnknownType,
  kSparse,
  kEmptyName,
  kNul,
  kControl,
  kNotUtf8,
  kComponentTooLong,
  kPathTooLong,
  kTooDeep,
  kDuplicate,
  kNotAFolder,  // a file where a folder is needed
  kIsAFolder,   // a folder where a file is needed
  kTooManyEntries,
  kTooManyBytes,
  kRatio,
  kTruncated,
  kBadChecksum,
  kTrailingData,
  kAmbiguous,
  kNoTar,    // of no format that is read
  kCorrupt,  // what compresses it is broken
  kMemory,   // needs more memory than the worker may have
  kWrite,    // the destination failed: no space, an I/O error, changed by someone else
  kWorker,   // the worker could not begin, or died
  // Of packing alone.
  kUnreadable,       // opening or reading it failed
  kOtherFileSystem,  // one is mounted there
};

// "absolute", "dot-dot" and so on; never renamed, never reused.
std::string_view ToString(Code code) noexcept;

// `message` says what is wrong and is safe to print, as is `entry`: the name as the archive has it,
// escaped and cut; empty where the archive as a whole is meant.
struct Refusal {
  Code code = Code::kCorrupt;
  std::string message;
  std::string entry;
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

template <typename T>
using Expected = tl::expected<T, Refusal>;

inline tl::unexpected<Refusal> Refuse(Code code, std::string message, std::string entry = {}) {
  return tl::unexpected(
      Refusal{.code = code, .message = std::move(message), .entry = std::move(entry)});
}

}  // namespace tidewaiter::extract
