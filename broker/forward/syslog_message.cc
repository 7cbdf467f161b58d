#include "broker/forward/syslog_message.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "audit/canonical_json.h"
#include "audit/sha256.h"

namespace tidewaiter::forward {
namespace {

constexpr unsigned kLogAudit = 13;  // RFC 5424, 6.2.1
constexpr std::size_t kMostHostName = 255;
constexpr std::size_t kMostMessageId = 32;

// A field of the header: printable ASCII without spaces, or "-" for none (6.2).
std::string Field(std::string_view text, std::size_t most) {
  const bool fits = !text.empty() &&
                    std::all_of(text.begin(), text.end(), [](char c) { return c > 32 && c < 127; });
  return fits ? std::string(text.substr(0, most)) : "-";
}

// TIMESTAMP has six digits of a second at most (6.2.3); the log's own has nine, then 'Z'.
std::string TimeOf(std::string_view time) {
  constexpr std::size_t kWithMicros = std::string_view("2026-10-02T12:34:56.000000").size();
  if (time.size() <= kWithMicros || !time.ends_with('Z')) return "-";
  return std::string(time.substr(0, kWithMicros)) + "Z";
}

std::string Compose(const SyslogOrigin& origin, const ForwardedRecord& record,
                    std::string_view text) {
  const unsigned priority = kLogAudit * 8 + static_cast<unsigned>(SeverityOf(record.header.type));
  return fmt::format("<{}>1 {} {} tidewaiter {} {} [origin software=\"tidewaiter\"] {}", priority,
                     TimeOf(record.header.time), Field(origin.host_name, kMostHostName),
                     Field(origin.process_id, 128), Field(record.header.type, kMostMessageId),
                     text);
}

// A text that stands in the line already, escaped.
void Take(audit::JsonObject& object, std::string_view name, std::string_view escaped) {
  if (!escaped.empty()) object.Json(name, fmt::format("\"{}\"", escaped));
}

}  // namespace

SyslogOrigin ThisOrigin() {
  std::array<char, kMostHostName + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) name.front() = '\0';
  return {.host_name = name.data(), .process_id = std::to_string(::getpid())};
}

std::string SyslogMessage(const SyslogOrigin& origin, const ForwardedRecord& record) {
  return Compose(origin, record, record.line);
}

std::string ShortenedSyslogMessage(const SyslogOrigin& origin, const ForwardedRecord& record) {
  audit::JsonObject object;
  object.Flag("forward_cut", true);
  object.Integer("index", static_cast<std::int64_t>(record.header.index));
  object.Integer("line_bytes", static_cast<std::int64_t>(record.line.size()));
  object.Text("line_digest", audit::ToString(audit::Sha256::Of(record.line)));
  Take(object, "principal", record.header.principal);
  Take(object, "run_id", record.header.run_id);
  Take(object, "time", record.header.time);
  Take(object, "type", record.header.type);
  return Compose(origin, record, std::move(object).Finish());
}

}  // namespace tidewaiter::forward
