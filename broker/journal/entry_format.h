// JournalEntry <-> the bytes of run.pb (run_entry.proto). Pure; reads hostile bytes. Thread: any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/run/run_journal.h"

namespace tidewaiter::journal {

inline constexpr std::size_t kMaxEntryBytes = std::size_t{1} << 20U;

// INVALID_ARGUMENT where the entry would not be read back: a text that is not UTF-8, a time or size
// that is impossible, or more than kMaxEntryBytes.
Result<std::string> FormatEntry(const run::JournalEntry& entry);

// FAILED_PRECONDITION whose message says what is wrong: torn, another version, no such entry,
// a time or size that is impossible (negative, or one that would overflow).
Result<run::JournalEntry> ParseEntry(std::string_view bytes);

}  // namespace tidewaiter::journal
