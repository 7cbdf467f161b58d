#include "broker/rpc/audit_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "audit/query.h"
#include "audit/tail.h"
#include "base/printable.h"
#include "broker/rpc/ended_stream.h"
#include "broker/rpc/error_details.h"
#include "broker/rpc/record_prover.h"

namespace tidewaiter::rpc {
namespace {

using WriteReactor = grpc::ServerWriteReactor<v1::AuditRecord>;

constexpr std::uint64_t kDefaultLimit = 10'000;
constexpr std::uint64_t kMaxLimit = 1'000'000;
constexpr std::size_t kMaxFilterText = 256;
constexpr std::size_t kMaxFilterImage = 1024;  // as long as a record's requested_image

Error BadFilter(std::string_view field, std::string_view cause) {
  return Fail(ErrorCode::kInvalidArgument,
              "read filter '" + std::string(field) + "': " + std::string(cause), "INVALID_FILTER");
}

// The type counts nanoseconds since 1970 in 63 bits.
Result<audit::Timestamp> ToTime(std::string_view field, const google::protobuf::Timestamp& time) {
  constexpr std::int64_t kMaxSeconds = 9'000'000'000;
  if (time.seconds() > kMaxSeconds || time.seconds() < -kMaxSeconds || time.nanos() < 0 ||
      time.nanos() > 999'999'999) {
    return BadFilter(field, "no time that a record could have");
  }
  return audit::Timestamp(std::chrono::seconds(time.seconds()) +
                          std::chrono::nanoseconds(time.nanos()));
}

Result<void> CheckLengths(const audit::Filter& filter) {
  const std::pair<std::string_view, const std::string*> texts[] = {
      {"run_id", &filter.run_id}, {"principal", &filter.principal},
      {"type", &filter.type},     {"tenant", &filter.tenant},
      {"image", &filter.image},   {"outcome", &filter.outcome},
      {"rule", &filter.rule},     {"shadow_rule", &filter.shadow_rule}};
  for (const auto& [name, text] : texts) {
    const std::size_t most = text == &filter.image ? kMaxFilterImage : kMaxFilterText;
    if (text->size() > most) return BadFilter(name, "too long");
  }
  return Ok();
}

Result<audit::Filter> ToFilter(const v1::AuditFilter& filter) {
  audit::Filter out{.run_id = filter.run_id(),
                    .principal = filter.principal(),
                    .type = filter.type(),
                    .tenant = filter.tenant(),
                    .image = filter.image(),
                    .outcome = filter.outcome(),
                    .rule = filter.rule(),
                    .shadow_rule = filter.shadow_rule()};
  TW_TRY(CheckLengths(out));
  if (filter.has_since()) {
    TW_ASSIGN(out.since, ToTime("since", filter.since()));
  }
  if (filter.has_until()) {
    TW_ASSIGN(out.until, ToTime("until", filter.until()));
  }
  return out;
}

std::uint64_t LimitOf(const v1::QueryRequest& request) {
  return request.limit() == 0 ? kDefaultLimit : request.limit();
}

// Gives records to a client, each with its proof where the client asked for that.
class Sender {
 public:
  static Result<Sender> Make(audit::Log& log, bool with_proofs, AuditStream& stream) {
    Sender sender(stream);
    if (!with_proofs) return sender;
    TW_ASSIGN(RecordProver prover, RecordProver::Make(log));
    sender.prover_.emplace(std::move(prover));
    return sender;
  }

  // False: no more can be sent, and failure() may say why.
  bool Send(std::string_view line, std::uint64_t index) {
    v1::AuditRecord record;
    record.set_json(std::string(line));
    if (prover_) {
      auto proof = prover_->Prove(index, stream_->stop());
      if (!proof) {
        failure_ = proof.error();
        return false;
      }
      record.set_tlog_proof(*std::move(proof));
    }
    return stream_->Send(std::move(record));
  }
  [[nodiscard]] const std::optional<Error>& failure() const noexcept { return failure_; }

 private:
  explicit Sender(AuditStream& stream) : stream_(&stream) {}

  AuditStream* stream_;
  std::optional<RecordProver> prover_;
  std::optional<Error> failure_;
};

// Where the last `count` matching records begin. What comes meanwhile is behind it.
Result<std::uint64_t> FromLast(audit::Log& log, const audit::Filter& filter, std::uint64_t count) {
  TW_ASSIGN(audit::Log::View view, log.Look());
  audit::RecordReader reader(std::move(view.directory), 0, view.end);
  TW_ASSIGN(const std::uint64_t from, audit::FindLast(reader, filter, count));
  return std::min(from, view.end.next_index);
}

grpc::Status QueryNow(audit::Log& log, const audit::Filter& filter, const v1::QueryRequest& request,
                      AuditStream& stream) {
  const std::uint64_t limit = LimitOf(request);
  std::uint64_t from = 0;
  if (request.newest()) {
    const Result<std::uint64_t> found = FromLast(log, filter, limit);
    if (!found) return ToStatus(found.error());
    from = *found;
  }
  Result<audit::Log::View> view = log.Look();
  if (!view) return ToStatus(view.error());
  Result<Sender> sender = Sender::Make(log, request.with_proofs(), stream);
  if (!sender) return ToStatus(sender.error());
  audit::RecordReader reader(std::move(view->directory), from, view->end);
  const auto summary =
      audit::Query(reader, filter, limit, [&sender](const audit::ReadRecord& record) {
        return sender->Send(record.line, record.header->index);
      });
  if (!summary) return ToStatus(summary.error());
  return sender->failure() ? ToStatus(*sender->failure()) : grpc::Status::OK;
}

Result<std::uint64_t> WhereToBegin(audit::Log& log, const audit::Filter& filter,
                                   const v1::TailRequest& request) {
  if (request.from_start()) return std::uint64_t{0};
  if (request.last() == 0) return log.End().next_index;
  return FromLast(log, filter, request.last());
}

grpc::Status TailNow(audit::Log& log, const audit::Filter& filter, const v1::TailRequest& request,
                     AuditStream& stream) {
  const Result<std::uint64_t> from = WhereToBegin(log, filter, request);
  if (!from) return ToStatus(from.error());
  Result<audit::Tail> tail = audit::Tail::Open(log, filter, *from);
  if (!tail) return ToStatus(tail.error());
  Result<Sender> sender = Sender::Make(log, request.with_proofs(), stream);
  if (!sender) return ToStatus(sender.error());
  while (true) {
    const auto record = tail->Next(stream.stop(), Deadline::Never());
    if (!record) return ToStatus(record.error());
    if (!record->has_value() || !sender->Send((*record)->line, (*record)->index)) break;
  }
  if (sender->failure() && !stream.stop().stop_requested()) return ToStatus(*sender->failure());
  return ToStatus(Fail(ErrorCode::kUnavailable, "follow the audit log: the broker is stopping",
                       "SHUTTING_DOWN"));
}

}  // namespace

WriteReactor* AuditService::Query(grpc::CallbackServerContext* context,
                                  const v1::QueryRequest* request) {
  if (LimitOf(*request) > kMaxLimit) {
    return EndedStream<WriteReactor>::With(ToStatus(BadFilter("limit", "more than 1,000,000")));
  }
  Result<audit::Filter> filter = ToFilter(request->filter());
  if (!filter) return EndedStream<WriteReactor>::With(ToStatus(filter.error()));
  return Serve(context, *request,
               [this, filter = *std::move(filter), asked = *request](AuditStream& stream) {
                 return QueryNow(log_, filter, asked, stream);
               });
}

WriteReactor* AuditService::Tail(grpc::CallbackServerContext* context,
                                 const v1::TailRequest* request) {
  if (request->last() > kMaxLimit) {
    return EndedStream<WriteReactor>::With(ToStatus(BadFilter("last", "more than 1,000,000")));
  }
  Result<audit::Filter> filter = ToFilter(request->filter());
  if (!filter) return EndedStream<WriteReactor>::With(ToStatus(filter.error()));
  return Serve(context, *request,
               [this, filter = *std::move(filter), asked = *request](AuditStream& stream) {
                 return TailNow(log_, filter, asked, stream);
               });
}

WriteReactor* AuditService::Serve(grpc::CallbackServerContext* context,
                                  const google::protobuf::Message& request, Reader reader) {
  auto identity = identifier_.Identify(context->peer());
  if (!identity) return EndedStream<WriteReactor>::With(identity.error());
  if (const auto refusal = settings_.bound.Refusal(request)) {
    return EndedStream<WriteReactor>::With(*refusal);
  }
  if (!identity->principal->roles.audit) {
    return EndedStream<WriteReactor>::With(RoleMissing(identity->caller.principal, "audit"));
  }
  const run::Caller caller = std::move(identity->caller);
  const std::string& principal = caller.principal;
  std::shared_ptr<void> place = places_.Take(principal);
  if (place == nullptr) {
    return EndedStream<WriteReactor>::With(
        ToStatus(Fail(ErrorCode::kResourceExhausted,
                      fmt::format("read the audit log: principal {} has {} readers already",
                                  Quoted(principal), kMaxCallsPerPrincipal),
                      "BUSY")));
  }
  const auto may_read = [this, caller] {
    const std::optional<policy::Roles> roles = identifier_.RolesNow(caller);
    return roles && roles->audit;
  };
  const auto stream =
      AuditStream::Make(*context, std::move(identity->lease),
                        {.stall = settings_.stall, .may_read = may_read}, stop_.get_token());
  {
    auto reading = reading_.Lock();
    std::erase_if(*reading, [](const Reading& each) { return each.stream.expired(); });
    reading->push_back({caller, stream});
  }
  // A reload in between has not seen this stream.
  if (!may_read()) stream->Stop();
  AuditStream* const reactor = stream.get();
  // Held by the task too: gRPC may be done with the call before the reader is.
  const bool taken = readers_.Submit([stream, reader = std::move(reader), place = std::move(place),
                                      may_read, principal]() mutable {
    grpc::Status status = reader(*stream);
    if (!may_read()) status = RoleMissing(principal, "audit");
    place.reset();  // before the caller learns of the end: it may ask again at once
    stream->Finish(status);
  });
  if (!taken) {
    reactor->Finish(ToStatus(Fail(ErrorCode::kResourceExhausted,
                                  "read the audit log: too many readers already", "BUSY")));
  }
  return reactor;
}

void AuditService::Recheck(const policy::PolicySet& enforced) {
  for (const Reading& each : *reading_.Lock()) {
    const policy::Principal* const principal = enforced.FindPrincipal(each.caller.uid);
    if (principal != nullptr && principal->name == each.caller.principal &&
        principal->roles.audit) {
      continue;
    }
    if (const std::shared_ptr<AuditStream> stream = each.stream.lock()) stream->Stop();
  }
}

}  // namespace tidewaiter::rpc
