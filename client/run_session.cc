#include "client/run_session.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tidewaiter::client {
namespace {

bool HasInput(const v1::RunSpec& spec) {
  return std::any_of(spec.mounts().begin(), spec.mounts().end(),
                     [](const v1::Mount& mount) { return mount.has_input(); });
}

}  // namespace

RunSession::RunSession(Connection& connection, const v1::RunSpec& spec, Options options)
    : connection_(connection), writes_may_wait_(options.with_stdin || HasInput(spec)) {
  stream_ = connection_.broker().Run(&context_);
  v1::RunRequest request;
  *request.mutable_start()->mutable_spec() = spec;
  request.mutable_start()->set_stdin(options.with_stdin);
  request.mutable_start()->set_detach(options.detach);
  // A write that fails means that the stream has ended: Next and Finish say why.
  const std::lock_guard lock(write_mutex_);
  stream_->Write(request);
}

RunSession::~RunSession() {
  if (finished_) return;
  context_.TryCancel();
  v1::RunEvent ignored;
  while (stream_->Read(&ignored)) {
  }
  static_cast<void>(stream_->Finish());
}

std::optional<v1::RunEvent> RunSession::Next() {
  v1::RunEvent event;
  if (!stream_->Read(&event)) return std::nullopt;
  if (event.has_admitted()) {
    bool cancel = false;
    {
      const std::lock_guard lock(cancel_mutex_);
      run_id_ = event.admitted().run_id();
      cancel = std::exchange(cancel_pending_, false);
    }
    // An error here is the run ending by itself: the events that follow tell.
    if (cancel) static_cast<void>(CancelById(event.admitted().run_id()));
  }
  return event;
}

std::optional<RpcFailure> RunSession::Finish() {
  const grpc::Status status = stream_->Finish();
  finished_ = true;
  if (status.ok()) return std::nullopt;
  return ReadFailure(status);
}

bool RunSession::WriteInput(const std::string& name, std::string_view bytes, bool last) {
  v1::RunRequest request;
  v1::InputPiece& piece = *request.mutable_input();
  piece.set_name(name);
  piece.set_data(bytes.data(), bytes.size());
  piece.set_last(last);
  const std::lock_guard lock(write_mutex_);
  return stream_->Write(request);
}

bool RunSession::WriteStdin(std::string_view bytes) {
  v1::RunRequest request;
  request.set_stdin(bytes.data(), bytes.size());
  const std::lock_guard lock(write_mutex_);
  return stream_->Write(request);
}

void RunSession::CloseStdin() {
  v1::RunRequest request;
  request.mutable_stdin_end();
  const std::lock_guard lock(write_mutex_);
  stream_->Write(request);
}

Result<void> RunSession::RequestCancel() {
  // Without inputs and stdin nothing can stand before the message in the stream. With them, a
  // broker that does not unpack yet, or a container that does not read, would hold the message
  // back: then the unary call is the way.
  if (!writes_may_wait_) return CancelByMessage();
  std::string run_id;
  {
    const std::lock_guard lock(cancel_mutex_);
    if (run_id_.empty()) {
      cancel_pending_ = true;
      return Ok();
    }
    run_id = run_id_;
  }
  return CancelById(run_id);
}

void RunSession::Abort() {
  context_.TryCancel();
}

Result<void> RunSession::CancelByMessage() {
  v1::RunRequest request;
  request.mutable_cancel();
  const std::lock_guard lock(write_mutex_);
  if (stream_->Write(request)) return Ok();
  return Fail(ErrorCode::kNotFound, "cancel the run: its stream has ended");
}

Result<void> RunSession::CancelById(const std::string& run_id) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  v1::CancelRequest request;
  request.set_run_id(run_id);
  v1::CancelResponse response;
  const grpc::Status status = connection_.broker().Cancel(&context, request, &response);
  if (status.ok()) return Ok();
  return ReadFailure(status).error;
}

}  // namespace tidewaiter::client
