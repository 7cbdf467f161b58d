#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "audit/verifier.h"
#include "base/printable.h"
#include "client/commands/audit_flags.h"
#include "client/commands/audit_folder.h"
#include "client/commands/commands.h"
#include "client/commands/files.h"
#include "client/commands/json_text.h"
#include "client/commands/report_page.h"
#include "client/exit_status.h"

namespace tidewaiter::cli {
namespace {

struct Options {
  AuditFlags flags;
  std::string html;
  std::string key;
};

// Where it cannot be verified, the page says why: the numbers are there all the same.
Result<audit::Verdict> Verify(const Options& options, ReportInput& input) {
  TW_ASSIGN(const AuditKey key, FindAuditKey(options.key, options.flags.directory));
  input.key = key.key.ToString();
  input.key_from_folder = key.from_folder;
  TW_ASSIGN(UniqueFd folder, OpenAuditFolder(options.flags.directory));
  return audit::VerifyLog(std::move(folder), {.key = key.key});
}

int Report(const Options& options, const audit::Filter& filter) {
  auto folder = OpenAuditFolder(options.flags.directory);
  if (!folder) return Complain(folder.error(), client::kExitNo);
  const auto sums = audit::CollectStatistics(*std::move(folder), filter);
  if (!sums) return Complain(sums.error().Within("read the audit log"), client::kExitNo);
  ReportInput input{.sums = *sums,
                    .folder = options.flags.directory,
                    .since = filter.since,
                    .until = filter.until,
                    .made = audit::Now()};
  auto verdict = Verify(options, input);
  if (verdict) {
    input.verdict = *std::move(verdict);
  } else {
    input.not_verified = verdict.error().message;
    Complain("not verified: " + verdict.error().message);
  }
  const auto written = ReplaceFile(options.html, ReportPage(input));
  if (!written) return Complain(written.error(), client::kExitNo);
  const bool holds = input.verdict && input.verdict->Holds();
  const int status = holds ? client::kExitYes : client::kExitNo;
  if (input.verdict && !holds) Complain(input.verdict->faults.front().message);
  if (!options.flags.json) return status;
  return PrintLine(JsonLine({{"file", options.html},
                             {"records", sums->records},
                             {"verified", holds},
                             {"key", input.key},
                             {"keyFromFolder", input.key_from_folder}}),
                   status);
}

}  // namespace

void AddAuditReport(CLI::App& audit, Invocation& invocation) {
  CLI::App& command = AddCommand(
      audit, {.name = "report",
              .summary = "A log's numbers and its verification as one HTML page",
              .arguments = "",
              .details = "Reads the log's folder or a copy of it; no broker is asked. The page\n"
                         "needs nothing else and has no script. Whoever makes it alone can read\n"
                         "it (0600), as the log.\n"
                         "Exit status: 0 made and verified, 1 not verified (the page says why) or\n"
                         "not made, 2 usage.\n"
                         "Example: tidewaiter audit report --html report.html --key auditor.pub"});
  auto options = std::make_shared<Options>();
  options->flags.directory = kAuditFolder;
  AddJsonFlag(command, options->flags.json);
  command.add_option("--html", options->html, "Where the page goes; replaced where it is there")
      ->type_name("FILE");
  command.add_option("--dir", options->flags.directory, "The log's folder or a copy of it")
      ->type_name("DIR");
  command.add_option("--key", options->key, "The log's public key, or a file that has it")
      ->type_name("KEY");
  AddTimeFlags(command, options->flags);
  command.callback([&command, &invocation, options] {
    ForbidPositionals(command, invocation);
    if (options->html.empty()) ThrowUsage("audit report takes --html FILE");
    auto filter = FilterOf(options->flags);
    if (!filter) ThrowUsage(filter.error().message);
    invocation.action = [options, filter = *std::move(filter)] { return Report(*options, filter); };
  });
}

}  // namespace tidewaiter::cli
