#include "client/commands/record_source.h"

#include <fmt/format.h>

#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <thread>

#include "audit/query.h"
#include "client/commands/audit_folder.h"
#include "client/rpc_failure.h"

namespace tidewaiter::cli {
namespace {

constexpr std::chrono::milliseconds kLookAgain(200);

void SetTime(audit::Timestamp when, google::protobuf::Timestamp& out) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
  out.set_seconds(seconds.time_since_epoch().count());
  out.set_nanos(static_cast<std::int32_t>((when - seconds).count()));
}

v1::AuditFilter ToWire(const audit::Filter& filter) {
  v1::AuditFilter out;
  out.set_run_id(filter.run_id);
  out.set_principal(filter.principal);
  out.set_type(filter.type);
  out.set_tenant(filter.tenant);
  out.set_image(filter.image);
  out.set_outcome(filter.outcome);
  out.set_rule(filter.rule);
  out.set_shadow_rule(filter.shadow_rule);
  if (filter.since) SetTime(*filter.since, *out.mutable_since());
  if (filter.until) SetTime(*filter.until, *out.mutable_until());
  return out;
}

using Stream = std::unique_ptr<grpc::ClientReader<v1::AuditRecord>>;

Stream Ask(client::Connection& connection, grpc::ClientContext& context,
           const RecordRequest& request) {
  if (request.follow) {
    v1::TailRequest wire;
    *wire.mutable_filter() = ToWire(request.filter);
    wire.set_from_start(!request.newest);
    wire.set_last(static_cast<std::uint32_t>(request.limit));
    return connection.audit().Tail(&context, wire);
  }
  v1::QueryRequest wire;
  *wire.mutable_filter() = ToWire(request.filter);
  wire.set_limit(static_cast<std::uint32_t>(request.limit));
  wire.set_newest(request.newest);
  return connection.audit().Query(&context, wire);
}

Result<void> ReadFromBroker(const Invocation& invocation, const RecordRequest& request,
                            const TakeRecord& take) {
  if (request.newest && request.limit == 0 && !request.follow) return Ok();
  TW_ASSIGN(client::Connection connection, invocation.Connect());
  grpc::ClientContext context;
  const Stream stream = Ask(connection, context, request);
  v1::AuditRecord record;
  bool wanted = true;
  while (wanted && stream->Read(&record)) wanted = take(record.json());
  if (!wanted) {
    context.TryCancel();
    while (stream->Read(&record)) {
    }
    static_cast<void>(stream->Finish());
    return Ok();
  }
  const grpc::Status finished = stream->Finish();
  if (finished.ok()) return Ok();
  return client::ReadFailure(finished).error.Within("query the audit log");
}

Result<std::uint64_t> FirstIndex(const RecordRequest& request) {
  if (!request.newest) return std::uint64_t{0};
  TW_ASSIGN(UniqueFd folder, OpenAuditFolder(request.directory));
  audit::RecordReader reader(std::move(folder), 0, std::nullopt);
  return audit::FindLast(reader, request.filter, request.limit);
}

Result<void> ReadFromFolder(const RecordRequest& request, const TakeRecord& take) {
  TW_ASSIGN(const std::uint64_t from, FirstIndex(request));
  TW_ASSIGN(UniqueFd folder, OpenAuditFolder(request.directory));
  audit::RecordReader reader(std::move(folder), from, std::nullopt);
  constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
  const bool all = request.follow || (request.limit == 0 && !request.newest);
  const std::uint64_t limit = all ? kNoLimit : request.limit;
  std::uint64_t unreadable = 0;
  bool wanted = true;
  while (true) {
    TW_ASSIGN(const audit::QuerySummary summary,
              audit::Query(reader, request.filter, limit, [&](const audit::ReadRecord& record) {
                wanted = take(record.line);
                return wanted;
              }));
    unreadable += summary.unreadable;
    if (!request.follow || !wanted) break;
    std::this_thread::sleep_for(kLookAgain);
  }
  if (unreadable > 0) Complain(fmt::format("{} line(s) are no records: passed over", unreadable));
  return Ok();
}

}  // namespace

Result<void> ReadRecords(const Invocation& invocation, const RecordRequest& request,
                         const TakeRecord& take) {
  return request.directory.empty() ? ReadFromBroker(invocation, request, take)
                                   : ReadFromFolder(request, take);
}

}  // namespace tidewaiter::cli
