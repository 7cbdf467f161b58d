#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "audit/statistics.h"
#include "client/commands/audit_flags.h"
#include "client/commands/audit_folder.h"
#include "client/commands/commands.h"
#include "client/commands/json_text.h"
#include "client/commands/quantity_text.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

using audit::Statistics;
using audit::TopCounts;
using Json = nlohmann::ordered_json;

struct Options {
  AuditFlags flags;
  std::size_t top = 10;
};

constexpr std::size_t kMaxTop = TopCounts::kMaxKeys;

// [{"name": ..., "count": ...}], and the rest where not every name was counted.
Json ToJson(const TopCounts& counts, std::size_t top) {
  Json out{{"distinct", counts.keys()}, {"total", counts.total()}, {"rest", counts.rest()}};
  out["top"] = Json::array();
  for (const auto& each : counts.Top(top)) {
    out["top"].push_back({{"name", each.key}, {"count", each.count}});
  }
  return out;
}

Json TimeOrNull(const std::optional<audit::Timestamp>& time) {
  return time ? Json(audit::FormatTimestamp(*time)) : Json();
}

Json ToJson(const Statistics& sums, std::size_t top) {
  Json out{{"records", sums.records},
           {"bytes", sums.bytes},
           {"unreadable", sums.unreadable},
           {"segments", sums.segments},
           {"fileBytes", sums.file_bytes},
           {"first", TimeOrNull(sums.first)},
           {"last", TimeOrNull(sums.last)},
           {"admitted", sums.admitted},
           {"denied", sums.denied},
           {"finished", sums.finished},
           {"unsuccessful", sums.unsuccessful},
           {"teardownsOverdue", sums.teardowns_overdue},
           {"teardownsSettled", sums.teardowns_settled},
           {"incompleteReceipts", sums.incomplete_receipts},
           {"gaps", sums.gaps},
           {"lostRecords", sums.lost_records},
           {"refusedRecords", sums.refused_records},
           {"truncations", sums.truncations}};
  out["durationsMs"] = {{"count", sums.durations.count()},
                        {"median", sums.durations.Quantile(50).count()},
                        {"p95", sums.durations.Quantile(95).count()},
                        {"longest", sums.durations.longest().count()}};
  out["types"] = ToJson(sums.types, kMaxTop);
  out["outcomes"] = ToJson(sums.outcomes, kMaxTop);
  out["rules"] = ToJson(sums.rules, top);
  out["shadowRules"] = ToJson(sums.shadow_rules, top);
  out["principals"] = ToJson(sums.principals, top);
  out["deniedPrincipals"] = ToJson(sums.denied_principals, top);
  out["images"] = ToJson(sums.images, top);
  return out;
}

std::string Line(std::string_view name, const std::string& value) {
  return client::Fit(name, 24) + value + '\n';
}

std::string List(std::string_view title, const TopCounts& counts, std::size_t top) {
  if (counts.total() == 0) return {};
  std::string out = fmt::format("\n{}\n", title);
  for (const auto& each : counts.Top(top)) {
    out += fmt::format("{:>12}  {}\n", each.count,
                       client::TerminalSafe(each.key.empty() ? "(none)" : each.key));
  }
  if (counts.keys() > top) out += fmt::format("{:>12}  and {} more\n", "", counts.keys() - top);
  if (counts.rest() > 0) {
    out += fmt::format("{:>12}  of others: only the first {} were counted by name\n", counts.rest(),
                       counts.keys());
  }
  return out;
}

std::string ToText(const Statistics& sums, std::size_t top) {
  const auto time = [](const std::optional<audit::Timestamp>& when) {
    return when ? audit::FormatTimestamp(*when) : std::string("-");
  };
  std::string out;
  out += Line("records", fmt::format("{} ({})", sums.records,
                                     FormatBytes(static_cast<std::int64_t>(sums.bytes))));
  if (sums.unreadable > 0) out += Line("lines that are none", fmt::format("{}", sums.unreadable));
  out += Line("segments", fmt::format("{} ({} on disk)", sums.segments,
                                      FormatBytes(static_cast<std::int64_t>(sums.file_bytes))));
  out += Line("from", time(sums.first));
  out += Line("to", time(sums.last));
  out += Line("runs", fmt::format("{} admitted, {} denied", sums.admitted, sums.denied));
  out +=
      Line("ends", fmt::format("{}, of which {} unsuccessful", sums.finished, sums.unsuccessful));
  if (sums.durations.count() > 0) {
    out += Line("durations", fmt::format("median {}, 95 % within {}, longest {}",
                                         FormatAbout(sums.durations.Quantile(50)),
                                         FormatAbout(sums.durations.Quantile(95)),
                                         FormatDuration(sums.durations.longest())));
  }
  out += Line("teardowns", fmt::format("{} overdue, {} settled later, {} receipt(s) not complete",
                                       sums.teardowns_overdue, sums.teardowns_settled,
                                       sums.incomplete_receipts));
  out += Line("gaps in the log",
              fmt::format("{}: {} record(s) lost, {} refused; cut after a crash "
                          "{} time(s)",
                          sums.gaps, sums.lost_records, sums.refused_records, sums.truncations));
  out += List("records by type", sums.types, kMaxTop);
  out += List("ends by outcome", sums.outcomes, kMaxTop);
  out += List("denials by rule", sums.rules, top);
  out += List("the tried policy's denials by rule", sums.shadow_rules, top);
  out += List("decisions by principal", sums.principals, top);
  out += List("denials by principal", sums.denied_principals, top);
  out += List("decisions by image", sums.images, top);
  return out;
}

int Stats(const Options& options, const audit::Filter& filter) {
  auto folder = OpenAuditFolder(options.flags.directory);
  if (!folder) return Complain(folder.error(), client::kExitNo);
  const auto sums = audit::CollectStatistics(*std::move(folder), filter);
  if (!sums) return Complain(sums.error().Within("read the audit log"), client::kExitNo);
  if (options.flags.json) {
    return PrintLine(JsonLine(ToJson(*sums, options.top)), client::kExitYes);
  }
  return Print(ToText(*sums, options.top), client::kExitYes);
}

}  // namespace

void AddAuditStats(CLI::App& audit, Invocation& invocation) {
  CLI::App& command = AddCommand(
      audit,
      {.name = "stats",
       .summary = "What a log tells in numbers",
       .arguments = "",
       .details = "Reads the log's folder or a copy of it; no broker is asked. Types, outcomes,\n"
                  "denials by rule, principals, images, durations, gaps. In bounded memory: of\n"
                  "principals, images and rules the first 10,000 are counted by name.\n"
                  "TIME is RFC 3339, as 2025-01-31T12:00:00Z, a date, or how long ago: 90m.\n"
                  "Example: tidewaiter audit stats --since 24h"});
  auto options = std::make_shared<Options>();
  options->flags.directory = kAuditFolder;
  AddJsonFlag(command, options->flags.json);
  command.add_option("--dir", options->flags.directory, "The log's folder or a copy of it")
      ->type_name("DIR");
  AddTimeFlags(command, options->flags);
  command.add_option("--top", options->top, "So many of each list; 10 by itself")
      ->type_name("NUMBER");
  command.callback([&command, &invocation, options] {
    ForbidPositionals(command, invocation);
    auto filter = FilterOf(options->flags);
    if (!filter) ThrowUsage(filter.error().message);
    options->top = std::min(options->top, kMaxTop);
    invocation.action = [options, filter = *std::move(filter)] { return Stats(*options, filter); };
  });
}

}  // namespace tidewaiter::cli
