#include "client/commands/audit_flags.h"

#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <chrono>

#include "base/printable.h"
#include "client/commands/quantity_text.h"

namespace tidewaiter::cli {
namespace {

// Years in which a record can be: its type counts nanoseconds in 63 bits.
constexpr std::int64_t kMaxSeconds = 9'000'000'000;

bool IsDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}

std::optional<audit::Timestamp> ParseDate(const std::string& text) {
  google::protobuf::Timestamp time;
  const bool whole = google::protobuf::util::TimeUtil::FromString(text, &time) ||
                     google::protobuf::util::TimeUtil::FromString(text + "T00:00:00Z", &time);
  if (!whole || time.seconds() > kMaxSeconds || time.seconds() < -kMaxSeconds) return std::nullopt;
  return audit::Timestamp(std::chrono::seconds(time.seconds()) +
                          std::chrono::nanoseconds(time.nanos()));
}

}  // namespace

Result<audit::Timestamp> ParseTime(const std::string& text, std::string_view flag) {
  if (const auto date = ParseDate(text)) return *date;
  // A plain number would be seconds; who writes one means a year.
  if (!std::all_of(text.begin(), text.end(), IsDigit)) {
    const auto ago = ParseDuration(text);
    constexpr std::chrono::hours kMost(24 * 366 * 100);
    if (ago && *ago >= std::chrono::milliseconds(0) && *ago <= kMost) return audit::Now() - *ago;
  }
  return Fail(ErrorCode::kInvalidArgument,
              "read " + std::string(flag) + ' ' + Quoted(text) +
                  ": expected a time as 2025-01-31T12:00:00Z, 2025-01-31, or 90m for 90 minutes "
                  "ago");
}

void AddTimeFlags(CLI::App& command, AuditFlags& flags) {
  command.add_option("--since", flags.since, "From this time on")->type_name("TIME");
  command.add_option("--until", flags.until, "Up to this time, exclusive")->type_name("TIME");
}

void AddAuditFlags(CLI::App& command, Invocation& invocation, AuditFlags& flags) {
  AddSocketOption(command, invocation);
  command.add_option("--dir", flags.directory, "A log's folder or a copy of it: asks no broker")
      ->type_name("DIR")
      ->excludes("--socket");
  command.add_flag("--json", flags.json, "The exact lines of the log, one JSON object each");
  command.add_option("--format", flags.format, "table, json or ocsf")->type_name("FORMAT");
  AddTimeFlags(command, flags);
  command.add_option("--run", flags.run_id, "Only of this run")->type_name("RUN_ID");
  command.add_option("--principal", flags.principal, "Only of this principal")->type_name("NAME");
  command.add_option("--type", flags.type, "Only of this type, as run.denied")->type_name("TYPE");
  command.add_option("--tenant", flags.tenant, "Admissions of this challenge, job or task")
      ->type_name("NAME");
  command
      .add_option("--image", flags.image,
                  "Only of this image: of a name every tag and digest, and what is below it")
      ->type_name("IMAGE");
  command
      .add_option("--outcome", flags.outcome,
                  "Ends of this kind, as TIMED_OUT; or unsuccessful: all but exit status 0")
      ->type_name("KIND");
  command.add_option("--rule", flags.rule, "Denials by this rule, as image.tag-required")
      ->type_name("RULE");
  command.add_option("--shadow-rule", flags.shadow_rule, "The same of the policy that is tried")
      ->type_name("RULE");
}

Result<audit::Filter> FilterOf(const AuditFlags& flags) {
  audit::Filter filter{.run_id = flags.run_id,
                       .principal = flags.principal,
                       .type = flags.type,
                       .tenant = flags.tenant,
                       .image = flags.image,
                       .outcome = flags.outcome,
                       .rule = flags.rule,
                       .shadow_rule = flags.shadow_rule};
  if (!flags.since.empty()) {
    TW_ASSIGN(filter.since, ParseTime(flags.since, "--since"));
  }
  if (!flags.until.empty()) {
    TW_ASSIGN(filter.until, ParseTime(flags.until, "--until"));
  }
  return filter;
}

Result<RecordFormat> FormatOf(const AuditFlags& flags, bool at_terminal) {
  if (flags.json && !flags.format.empty() && flags.format != "json") {
    return Fail(ErrorCode::kInvalidArgument, "--json and --format exclude each other");
  }
  if (flags.json || flags.format == "json") return RecordFormat::kJson;
  if (flags.format == "ocsf") return RecordFormat::kOcsf;
  if (flags.format == "table") return RecordFormat::kTable;
  if (flags.format.empty()) return at_terminal ? RecordFormat::kTable : RecordFormat::kJson;
  return Fail(ErrorCode::kInvalidArgument,
              "read --format " + Quoted(flags.format) + ": expected table, json or ocsf");
}

}  // namespace tidewaiter::cli
