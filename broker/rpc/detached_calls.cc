#include "broker/rpc/detached_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "base/printable.h"
#include "broker/rpc/ended_stream.h"
#include "broker/rpc/error_details.h"
#include "broker/rpc/start_call.h"
#include "broker/rpc/wait_call.h"
#include "wire/answers.h"
#include "wire/run_spec.h"

namespace tidewaiter::rpc {
namespace {

using Run = run::DetachedRun;

constexpr std::size_t kFrameHeader = 8;
constexpr std::size_t kReadBytes = std::size_t{256} << 10U;

// Wakes a thread that waits for a run to change.
class Wakening final : public Run::Watcher {
 public:
  void OnChange() noexcept override {
    *changed_.Lock() = true;
    wake_.notify_all();
  }
  // False: stopped.
  bool Wait(const std::stop_token& stop) {
    auto changed = changed_.Lock();
    const bool woken = changed.Wait(wake_, stop, Deadline::Never(), [&] { return *changed; });
    *changed = false;
    return woken;
  }

 private:
  Guarded<bool> changed_{true};
  std::condition_variable_any wake_;
};

// The whole frames at the beginning of `bytes` (run_log.h), one event each. Returns how many bytes
// they take; 0 where not one is whole, as at the end of a log that a crash has cut.
template <typename Send>
std::optional<std::size_t> SendFrames(std::string_view bytes, Send send) {
  std::size_t taken = 0;
  while (bytes.size() - taken >= kFrameHeader) {
    const std::string_view header = bytes.substr(taken, kFrameHeader);
    std::size_t length = 0;
    for (std::size_t i = 4; i < kFrameHeader; ++i) {
      length = length << 8U | static_cast<unsigned char>(header[i]);
    }
    if (bytes.size() - taken - kFrameHeader < length) break;
    v1::RunEvent event;
    event.mutable_output()->set_stream(header[0] == 1 ? v1::Output::STDOUT : v1::Output::STDERR);
    event.mutable_output()->set_data(std::string(bytes.substr(taken + kFrameHeader, length)));
    if (!send(std::move(event))) return std::nullopt;
    taken += kFrameHeader + length;
  }
  return taken;
}

grpc::Status Stopping() {
  return ToStatus(
      Fail(ErrorCode::kUnavailable, "follow the run: the broker is stopping", "SHUTTING_DOWN"));
}

v1::RunEvent AdmittedEvent(const Run::State& state) {
  v1::RunEvent event;
  event.mutable_admitted()->set_run_id(state.run_id.value());
  event.mutable_admitted()->set_policy(state.policy_name);
  event.mutable_admitted()->set_policy_hash(state.policy_hash);
  return event;
}

v1::RunEvent StartedEvent(const Run::State& state) {
  v1::RunEvent event;
  event.mutable_started()->set_resolved_digest(state.image->digest);
  event.mutable_started()->set_image_id(state.image->image_id);
  event.mutable_started()->set_container_id(state.container_id);
  return event;
}

grpc::Status Withdrawn(const Run::State& state) {
  return ToStatus(Fail(
      ErrorCode::kPermissionDenied,
      fmt::format("follow run {}: the caller's role was withdrawn", Quoted(state.run_id.value())),
      "ROLE_MISSING"));
}

grpc::Status Busy() {
  return ToStatus(Fail(ErrorCode::kResourceExhausted,
                       "follow the run: too many such calls are under way", "BUSY"));
}

Error Gone(const RunId& run_id) {
  return Fail(ErrorCode::kNotFound,
              fmt::format("follow run {}: its retention is over", Quoted(run_id.value())),
              "RUN_NOT_FOUND");
}

}  // namespace

Result<RunStream::Launched> LaunchDetached(run::RunRegistry& registry, run::RunRequest request) {
  TW_ASSIGN(run::RunRegistry::Detached launched, registry.LaunchDetached(std::move(request)));
  if (launched.handle)
    return RunStream::Launched{.handle = std::move(launched.handle), .existing = {}};
  RunId run_id = launched.run->Get().run_id;
  if (!run_id.empty()) return RunStream::Launched{.handle = nullptr, .existing = std::move(run_id)};
  return Fail(ErrorCode::kUnavailable,
              "launch the run: another call with this idempotency key is being decided",
              "IN_PROGRESS");
}

grpc::ServerUnaryReactor* DetachedCalls::Start(grpc::CallbackServerContext& context,
                                               const Identity& identity,
                                               const v1::StartRequest& request,
                                               v1::StartResponse& response) {
  return StartCall::Begin(*context.DefaultReactor(), response, request.spec(), identity.caller,
                          [registry = parts_.registry](run::RunRequest launch) {
                            return LaunchDetached(*registry, std::move(launch));
                          });
}

std::function<bool()> DetachedCalls::MayRead(const run::Caller& caller, const Run& run) const {
  const bool own = run.owner().principal == caller.principal;
  return [identifier = parts_.identifier, caller, own] {
    const std::optional<policy::Roles> roles = identifier->RolesNow(caller);
    return roles && (roles->operate || (own && roles->run));
  };
}

grpc::ServerUnaryReactor* DetachedCalls::Wait(Identity identity, const v1::WaitRequest& request,
                                              v1::WaitResponse& response) {
  auto run = parts_.registry->FindDetached(RunId(request.run_id()), identity.viewer());
  if (!run) return WaitCall::Refuse(response, ToStatus(run.error()));
  std::shared_ptr<void> place = waits_.Take(identity.caller.principal);
  if (place == nullptr) return WaitCall::Refuse(response, Busy());
  auto may_read = MayRead(identity.caller, **run);
  return WaitCall::Begin({.run = *std::move(run),
                          .may_read = std::move(may_read),
                          .lease = std::move(identity.lease),
                          .place = std::move(place)},
                         response, stop_.get_token());
}

grpc::ServerWriteReactor<v1::RunEvent>* DetachedCalls::Attach(grpc::CallbackServerContext& context,
                                                              Identity identity,
                                                              const v1::AttachRequest& request) {
  return Serve<v1::RunEvent>(
      context, std::move(identity), request.run_id(),
      [this, snapshot = request.snapshot()](BlockingStream<v1::RunEvent>& stream, Run& run) {
        return AttachNow(stream, run, snapshot);
      });
}

grpc::ServerWriteReactor<v1::FetchResponse>* DetachedCalls::Fetch(
    grpc::CallbackServerContext& context, Identity identity, const v1::FetchRequest& request) {
  const run::Caller caller = identity.caller;
  return Serve<v1::FetchResponse>(context, std::move(identity), request.run_id(),
                                  [this, caller, output = request.output()](
                                      BlockingStream<v1::FetchResponse>& stream, Run& run) {
                                    return FetchNow(stream, run, caller, output);
                                  });
}

template <typename Message>
grpc::ServerWriteReactor<Message>* DetachedCalls::Serve(
    grpc::CallbackServerContext& context, Identity identity, const std::string& run_id,
    std::function<grpc::Status(BlockingStream<Message>&, Run&)> writer) {
  using Reactor = grpc::ServerWriteReactor<Message>;
  auto run = parts_.registry->FindDetached(RunId(run_id), identity.viewer());
  if (!run) return EndedStream<Reactor>::With(ToStatus(run.error()));
  std::shared_ptr<void> place = places_.Take(identity.caller.principal);
  if (place == nullptr) return EndedStream<Reactor>::With(Busy());
  const auto may_read = MayRead(identity.caller, **run);
  const auto stream = BlockingStream<Message>::Make(context, std::move(identity.lease),
                                                    {.stall = parts_.stall, .may_read = may_read},
                                                    stop_.get_token());
  // Held by the task too: gRPC may be done with the call before the writer is.
  const bool taken = streams_.Submit([stream, run = *std::move(run), writer = std::move(writer),
                                      place = std::move(place), may_read]() mutable {
    grpc::Status status = writer(*stream, *run);
    if (!may_read()) status = Withdrawn(run->Get());
    place.reset();  // before the caller learns of the end: it may ask again at once
    stream->Finish(status);
  });
  if (!taken) stream->Finish(Busy());
  return stream.get();
}

grpc::Status DetachedCalls::AttachNow(BlockingStream<v1::RunEvent>& stream, Run& run,
                                      bool snapshot) {
  const auto wakening = std::make_shared<Wakening>();
  run.Watch(wakening, Run::Watcher::Of::kAll);
  bool admitted = false;
  bool queued = false;
  bool started = false;
  bool ended = false;
  std::uint64_t offset = 0;
  const auto send = [&stream](v1::RunEvent event) { return stream.Send(std::move(event)); };
  while (true) {
    const Run::State state = run.Get();
    if (!std::exchange(admitted, true) && !send(AdmittedEvent(state))) return Stopping();
    if (state.queued && !std::exchange(queued, true)) {
      v1::RunEvent event;
      event.mutable_queued()->set_ahead(*state.queued);
      if (!send(std::move(event))) return Stopping();
    }
    if (state.image && !std::exchange(started, true) && !send(StartedEvent(state))) {
      return Stopping();
    }
    while (offset < state.log_bytes) {
      const auto bytes = parts_.environment->files->ReadLog(state.run_id, offset, kReadBytes);
      // What is being removed may be there in part.
      if (run.Expired()) return ToStatus(Gone(state.run_id));
      if (!bytes) return ToStatus(bytes.error());
      const auto taken = SendFrames(*bytes, send);
      if (!taken) return Stopping();
      if (*taken == 0) break;
      offset += *taken;
    }
    if (state.outcome && !std::exchange(ended, true)) {
      if (!state.truncated.empty()) {
        v1::RunEvent event;
        event.mutable_truncated()->set_dropped_bytes(state.dropped_bytes);
        event.mutable_truncated()->set_reason(state.truncated);
        if (!send(std::move(event))) return Stopping();
      }
      v1::RunEvent event;
      *event.mutable_result() = wire::ToProto(*state.outcome);
      if (!send(std::move(event))) return Stopping();
    }
    if (state.done) {
      if (!state.outcome && state.refused) return ToStatus(*state.refused);
      v1::RunEvent event;
      *event.mutable_receipt() = wire::ToProto(state.receipt.value_or(run::Receipt()));
      if (!send(std::move(event))) return Stopping();
      return grpc::Status::OK;
    }
    if (snapshot) return grpc::Status::OK;
    if (!wakening->Wait(stream.stop())) return Stopping();
  }
}

grpc::Status DetachedCalls::FetchNow(BlockingStream<v1::FetchResponse>& stream, Run& run,
                                     const run::Caller& caller, const std::string& output) {
  const Run::State state = run.Get();
  const std::string what =
      fmt::format("fetch output {} of run {}", Quoted(output), Quoted(state.run_id.value()));
  if (!state.kept) {
    return ToStatus(Fail(ErrorCode::kFailedPrecondition, what + ": the run has not finished",
                         "RUN_NOT_FINISHED"));
  }
  const auto kept = std::find_if(state.kept->begin(), state.kept->end(),
                                 [&](const run::KeptOutput& each) { return each.name == output; });
  if (kept == state.kept->end()) {
    return ToStatus(
        Fail(ErrorCode::kNotFound, what + ": the run has left none of that name", "NO_OUTPUT"));
  }
  if (!kept->error.empty()) {
    return ToStatus(
        Fail(ErrorCode::kFailedPrecondition, what + ": " + kept->error, "OUTPUT_FAILED"));
  }
  const auto write = [&stream](std::string_view data) -> Result<void> {
    v1::FetchResponse piece;
    piece.set_data(std::string(data));
    if (stream.Send(std::move(piece))) return Ok();
    return Fail(ErrorCode::kCancelled, "nobody takes it");
  };
  const run::Environment& environment = *parts_.environment;
  const auto sent = environment.files->SendArchive(
      state.run_id, output, write,
      {.stop = stream.stop(), .deadline = Deadline::After(environment.settings.output_timeout)});
  run::AuditEvent event;
  event.type = run::AuditEvent::Type::kRunOutput;
  event.run_id = state.run_id;
  event.caller = caller;
  event.archive = run::ArchiveNote{.name = output, .archive = {}, .omitted = 0, .error = {}};
  if (sent) {
    event.archive->archive = kept->summary.archive;
    event.archive->omitted = kept->summary.omissions.count;
  } else {
    event.archive->error = sent.error().Reason();
  }
  // The last piece, which makes it an archive, comes after the record.
  const auto recorded =
      environment.audit->Append(event, Deadline::After(environment.settings.audit_deadline));
  if (sent && !recorded) return ToStatus(recorded.error().Within(what));
  if (!sent) return ToStatus(run.Expired() ? Gone(state.run_id) : sent.error().Within(what));
  v1::FetchResponse last;
  *last.mutable_end() = wire::ToProto(kept->summary);
  return stream.Send(std::move(last)) ? grpc::Status::OK : Stopping();
}

}  // namespace tidewaiter::rpc
