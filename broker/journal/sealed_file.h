// The form of every file in a run's directory that the broker writes: a version, the content, its
// checksum (RunEntryFile in run_entry.proto). Pure; reads hostile bytes. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::journal {

inline constexpr std::size_t kMaxSealedBytes = std::size_t{1} << 20U;

std::string Seal(std::string content);

// The content. FAILED_PRECONDITION (JOURNAL_UNREADABLE) whose message says what is wrong: torn, of
// another version, too large.
Result<std::string> Unseal(std::string_view bytes);

// For what is wrong with the content itself.
Error Unreadable(std::string cause);

// Whether a clock can show those milliseconds, and a difference of two such be taken.
bool IsTime(std::int64_t millis) noexcept;

}  // namespace tidewaiter::journal
