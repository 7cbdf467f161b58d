// One record on its way out: the log's exact line, what was read of it, and how much it matters.
// Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "audit/record_header.h"

namespace tidewaiter::forward {

// Borrowed: both point into a line of the log.
struct ForwardedRecord {
  std::string_view line;  // without its line feed
  audit::RecordHeader header;
};

// The numbers of RFC 5424 (6.2.1), which are journald's too.
enum class Severity : std::uint8_t { kWarning = 4, kNotice = 5, kInformational = 6 };

// Of a record's type, as "run.denied". What a later version adds is informational.
Severity SeverityOf(std::string_view type) noexcept;

}  // namespace tidewaiter::forward
