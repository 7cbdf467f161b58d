#include "broker/forward/journal_message.h"

#include <cstddef>
#include <cstdint>

namespace tidewaiter::forward {
namespace {

// For a person: what `journalctl` shows of an entry. The texts are as they stand in the line,
// escaped, so that none can break out of it.
std::string Sentence(const audit::RecordHeader& header) {
  std::string sentence(header.type);
  if (!header.run_id.empty()) sentence.append(", run ").append(header.run_id);
  if (!header.principal.empty()) sentence.append(", principal ").append(header.principal);
  return sentence;
}

void AppendFieldIfAny(std::string& message, std::string_view name, std::string_view value) {
  if (!value.empty()) AppendJournalField(message, name, value);
}

}  // namespace

void AppendJournalField(std::string& message, std::string_view name, std::string_view value) {
  message.append(name);
  if (value.find('\n') == std::string_view::npos) {
    message.append("=").append(value).append("\n");
    return;
  }
  // The form for bytes: name, line feed, length in 64 bits with the lowest byte first, value.
  message.push_back('\n');
  auto length = static_cast<std::uint64_t>(value.size());
  for (std::size_t i = 0; i < sizeof(length); ++i) {
    message.push_back(static_cast<char>(length & 0xffU));
    length >>= 8U;
  }
  message.append(value).append("\n");
}

std::string JournalMessage(const ForwardedRecord& record) {
  constexpr std::size_t kOtherFields = 512;
  std::string message;
  message.reserve(record.line.size() + kOtherFields);
  const audit::RecordHeader& header = record.header;
  AppendJournalField(message, "MESSAGE", Sentence(header));
  AppendJournalField(message, "MESSAGE_ID", kJournalMessageId);
  AppendJournalField(message, "PRIORITY",
                     std::to_string(static_cast<unsigned>(SeverityOf(header.type))));
  AppendJournalField(message, "SYSLOG_IDENTIFIER", kJournalIdentifier);
  AppendJournalField(message, "TIDEWAITER_INDEX", header.index_text);
  AppendJournalField(message, "TIDEWAITER_TYPE", header.type);
  AppendFieldIfAny(message, "TIDEWAITER_RUN_ID", header.run_id);
  AppendJournalField(message, "TIDEWAITER_RECORD", record.line);
  return message;
}

}  // namespace tidewaiter::forward
