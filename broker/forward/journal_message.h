// A record in journald's native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL). Pure.
#pragma once

#include <string>
#include <string_view>

#include "broker/forward/forwarded_record.h"

namespace tidewaiter::forward {

// MESSAGE_ID of every entry: `journalctl MESSAGE_ID=...` finds them all. Never changes.
inline constexpr std::string_view kJournalMessageId = "fc07e45a83ab497da7fa2ec5f802858d";
// SYSLOG_IDENTIFIER: `journalctl -t tidewaiter-audit`.
inline constexpr std::string_view kJournalIdentifier = "tidewaiter-audit";

// One datagram, or the content of one memory file where it is too long for that.
std::string JournalMessage(const ForwardedRecord& record);

// Appends one field. `name` is upper-case letters, digits and underscores; the value may be any
// bytes.
void AppendJournalField(std::string& message, std::string_view name, std::string_view value);

}  // namespace tidewaiter::forward
