#include <google/protobuf/util/time_util.h>

#include <unistd.h>

#include <memory>
#include <string>

#include "base/printable.h"
#include "client/commands/commands.h"
#include "client/exit_status.h"
#include "client/rpc_failure.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

struct Options {
  bool json = false;
  bool follow = false;
  std::string run_id, principal, type, since, until;
  std::uint32_t limit = 0;
};

// RFC 3339, as "2025-01-31T12:00:00Z".
Result<void> ParseTime(const std::string& text, std::string_view flag,
                       google::protobuf::Timestamp& time) {
  if (google::protobuf::util::TimeUtil::FromString(text, &time)) return Ok();
  return Fail(ErrorCode::kInvalidArgument, "read " + std::string(flag) + ' ' + Quoted(text) +
                                               ": expected a time as 2025-01-31T12:00:00Z");
}

Result<v1::AuditFilter> BuildFilter(const Options& options) {
  v1::AuditFilter filter;
  filter.set_run_id(options.run_id);
  filter.set_principal(options.principal);
  filter.set_type(options.type);
  if (!options.since.empty()) {
    TW_TRY(ParseTime(options.since, "--since", *filter.mutable_since()));
  }
  if (!options.until.empty()) {
    TW_TRY(ParseTime(options.until, "--until", *filter.mutable_until()));
  }
  return filter;
}

// The exact bytes of the log; at a terminal without --json, with what could steer it escaped.
std::string RecordText(const std::string& record, bool json) {
  constexpr std::size_t kRecordBytes = std::size_t{4} << 20;
  const bool exact = json || !client::Terminal::Of(STDOUT_FILENO).is_terminal();
  return exact ? record : client::TerminalSafe(record, kRecordBytes);
}

int PrintRecords(grpc::ClientReader<v1::AuditRecord>& reader, grpc::ClientContext& context,
                 bool json) {
  v1::AuditRecord record;
  int status = client::kExitYes;
  while (status == client::kExitYes && reader.Read(&record)) {
    status = PrintLine(RecordText(record.json(), json), client::kExitYes);
  }
  if (status != client::kExitYes) {
    context.TryCancel();
    while (reader.Read(&record)) {
    }
    static_cast<void>(reader.Finish());
    return status;
  }
  const grpc::Status finished = reader.Finish();
  if (finished.ok()) return client::kExitYes;
  return Complain(client::ReadFailure(finished).error.Within("query the audit log"),
                  client::kExitNo);
}

int Query(const Invocation& invocation, const v1::AuditFilter& filter, const Options& options) {
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitNo);
  grpc::ClientContext context;
  if (options.follow) {
    v1::TailRequest request;
    *request.mutable_filter() = filter;
    request.set_from_start(true);
    const auto reader = connection->audit().Tail(&context, request);
    return PrintRecords(*reader, context, options.json);
  }
  v1::QueryRequest request;
  *request.mutable_filter() = filter;
  request.set_limit(options.limit);
  const auto reader = connection->audit().Query(&context, request);
  return PrintRecords(*reader, context, options.json);
}

}  // namespace

void AddAuditQuery(CLI::App& audit, Invocation& invocation) {
  CLI::App& command = AddCommand(
      audit, {.name = "query",
              .summary = "Records of the audit log (role audit)",
              .arguments = "",
              .details = "Prints the records as they stand in the log, one JSON object per line.\n"
                         "Times are RFC 3339, as 2025-01-31T12:00:00Z.\n"
                         "Example: tidewaiter audit query --type run.denied --limit 20"});
  auto options = std::make_shared<Options>();
  AddSocketOption(command, invocation);
  AddJsonFlag(command, options->json);
  command.add_option("--run", options->run_id, "Only of this run")->type_name("RUN_ID");
  command.add_option("--principal", options->principal, "Only of this principal")
      ->type_name("NAME");
  command.add_option("--type", options->type, "Only of this type")->type_name("TYPE");
  command.add_option("--since", options->since, "From this time on")->type_name("TIME");
  command.add_option("--until", options->until, "Up to this time, exclusive")->type_name("TIME");
  command.add_option("--limit", options->limit, "At most so many; 10,000 by itself")
      ->type_name("NUMBER");
  command.add_flag("-f,--follow", options->follow, "Then every further record, until Ctrl-C");
  command.callback([&command, &invocation, options] {
    ForbidPositionals(command, invocation);
    const auto filter = BuildFilter(*options);
    if (!filter) ThrowUsage(filter.error().message);
    if (options->follow && options->limit > 0)
      ThrowUsage("--follow and --limit exclude each other");
    invocation.action = [&invocation, filter = *filter, options] {
      return Query(invocation, filter, *options);
    };
  });
}

}  // namespace tidewaiter::cli
