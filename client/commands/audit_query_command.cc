#include <unistd.h>

#include <memory>

#include "client/commands/audit_flags.h"
#include "client/commands/commands.h"
#include "client/commands/record_source.h"
#include "client/exit_status.h"

namespace tidewaiter::cli {
namespace {

struct Options {
  AuditFlags flags;
  bool follow = false;
  std::uint64_t limit = 0;
  std::uint64_t last = 10;
};

int PrintRecords(const Invocation& invocation, const RecordRequest& request, RecordFormat format) {
  RecordPrinter printer(format, client::Terminal::Of(STDOUT_FILENO));
  int status = client::kExitYes;
  const auto read = ReadRecords(invocation, request, [&](std::string_view line) {
    status = Print(printer.Text(line), client::kExitYes);
    return status == client::kExitYes;
  });
  if (!read) return Complain(read.error(), client::kExitNo);
  return status;
}

// What the options ask for, but for how many records.
RecordRequest ReadOptions(const Options& options) {
  auto filter = FilterOf(options.flags);
  if (!filter) ThrowUsage(filter.error().message);
  return {
      .directory = options.flags.directory, .filter = *std::move(filter), .follow = options.follow};
}

RecordFormat ReadFormat(const Options& options) {
  const bool at_terminal = client::Terminal::Of(STDOUT_FILENO).is_terminal();
  const auto format = FormatOf(options.flags, at_terminal);
  if (!format) ThrowUsage(format.error().message);
  return *format;
}

void CheckCount(std::uint64_t count, const std::string& flag) {
  if (count > kMaxRecordLimit) ThrowUsage(flag + " is at most 1,000,000");
}

constexpr char kForms[] =
    "At a terminal a table; anywhere else, and with --json, the lines as they stand in the log,\n"
    "one JSON object each; --format ocsf: as OCSF events (docs/OCSF.md).\n"
    "TIME is RFC 3339, as 2025-01-31T12:00:00Z, a date, or how long ago: 90m. All conditions\n"
    "must hold.\n";

}  // namespace

void AddAuditQuery(CLI::App& audit, Invocation& invocation) {
  CLI::App& command = AddCommand(
      audit, {.name = "query",
              .summary = "Records of the audit log (role audit)",
              .arguments = "",
              .details = std::string(kForms) +
                         "Example: tidewaiter audit query --since 24h --rule image.tag-required\n"
                         "Example: tidewaiter audit query --dir /mnt/copy --outcome unsuccessful "
                         "--json"});
  auto options = std::make_shared<Options>();
  AddAuditFlags(command, invocation, options->flags);
  command
      .add_option("--limit", options->limit,
                  "At most so many; by itself all of --dir, 10,000 of a broker")
      ->type_name("NUMBER");
  command.add_flag("-f,--follow", options->follow, "Then every further record, until Ctrl-C");
  command.callback([&command, &invocation, options] {
    ForbidPositionals(command, invocation);
    RecordRequest request = ReadOptions(*options);
    if (options->follow && options->limit > 0)
      ThrowUsage("--follow and --limit exclude each other");
    CheckCount(options->limit, "--limit");
    request.limit = options->limit;
    invocation.action = [&invocation, request, format = ReadFormat(*options)] {
      return PrintRecords(invocation, request, format);
    };
  });
}

void AddAuditTail(CLI::App& audit, Invocation& invocation) {
  CLI::App& command =
      AddCommand(audit, {.name = "tail",
                         .summary = "The last records of the audit log (role audit)",
                         .arguments = "",
                         .details = "The last 10 that match, and with -f every further one as it "
                                    "becomes durable.\n" +
                                    std::string(kForms) +
                                    "Example: tidewaiter audit tail -f --type run.denied"});
  auto options = std::make_shared<Options>();
  AddAuditFlags(command, invocation, options->flags);
  command.add_option("-n,--lines", options->last, "So many of those that are there; 10 by itself")
      ->type_name("NUMBER");
  command.add_flag("-f,--follow", options->follow, "Then every further record, until Ctrl-C");
  command.callback([&command, &invocation, options] {
    ForbidPositionals(command, invocation);
    RecordRequest request = ReadOptions(*options);
    CheckCount(options->last, "--lines");
    request.newest = true;
    request.limit = options->last;
    invocation.action = [&invocation, request, format = ReadFormat(*options)] {
      return PrintRecords(invocation, request, format);
    };
  });
}

}  // namespace tidewaiter::cli
