#include "broker/rpc/run_stream.h"

#include <utility>
#include <variant>

#include "base/printable.h"
#include "broker/rpc/error_details.h"
#include "broker/rpc/request_digest.h"
#include "wire/run_spec.h"

namespace tidewaiter::rpc {
namespace {

constexpr std::size_t kMaxStdinMessage = std::size_t{1} << 20U;
constexpr std::size_t kMaxUploadMessage = std::size_t{1} << 20U;

}  // namespace

RunStream::RunStream(Launcher launcher, run::Caller caller, Settings settings)
    : launcher_(std::move(launcher)), caller_(std::move(caller)), settings_(settings) {}

void RunStream::Open(StreamPort& port) {
  stdin_ = std::make_shared<StdinPipe>(ReadOn());
  const std::lock_guard lock(mutex_);
  port_ = &port;
  ReadLocked();
}

std::function<void()> RunStream::ReadOn() {
  return [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->mutex_);
    if (std::exchange(self->read_paused_, false)) self->ReadLocked();
  };
}

void RunStream::OnRead(const v1::RunRequest& request, std::size_t bytes) {
  Take(bytes, [&] { return OnMessage(request); });
}

void RunStream::OnInput(run::UploadPiece piece, std::size_t bytes) {
  Take(bytes, [&] { return OnPiece(std::move(piece)); });
}

void RunStream::OnUnreadable() {
  Violate("a message that is no RunRequest");
}

void RunStream::Take(std::size_t bytes, const std::function<bool()>& take) {
  if (const auto refusal = settings_.bound.Refusal(bytes)) return Close(*refusal);
  {
    // Before the message is looked at: room may come up while it is.
    const std::lock_guard lock(mutex_);
    read_paused_ = true;
  }
  if (!take()) return;
  const std::lock_guard lock(mutex_);
  if (std::exchange(read_paused_, false)) ReadLocked();
}

bool RunStream::OnMessage(const v1::RunRequest& request) {
  using Message = v1::RunRequest::MessageCase;
  switch (request.message_case()) {
    case Message::kStart: return OnStart(request.start());
    case Message::kStdin: return OnStdin(request.stdin());
    case Message::kStdinEnd:
      if (!MayComeNow("an end of stdin")) return false;
      stdin_->Finish();
      return true;
    case Message::kCancel: return OnCancelMessage();
    case Message::kInput: {
      const v1::InputPiece& piece = request.input();
      return OnPiece(
          {.name = piece.name(), .data = SharedBytes(piece.data()), .last = piece.last()});
    }
    case Message::MESSAGE_NOT_SET: return Violate("a message that this version does not know");
  }
  return false;
}

bool RunStream::OnStart(const v1::StartRun& start) {
  if (std::exchange(started_, true)) return Violate("a second start");
  with_stdin_ = start.stdin();
  detached_ = start.detach();
  if (with_stdin_ && detached_) return Violate("a start with both stdin and detach");
  Result<policy::RunSpec> spec = wire::FromProto(start.spec());
  if (!spec) {
    Close(ToStatus(spec.error()));
    return false;
  }
  for (const policy::Mount& mount : spec->mounts) {
    const auto* input = std::get_if<policy::InputMount>(&mount.source);
    if (input != nullptr) inputs_left_.insert(input->name);
  }
  if (!inputs_left_.empty()) {
    auto uploads = std::make_shared<UploadPipe>(ReadOn());
    const std::lock_guard lock(mutex_);
    uploads_ = std::move(uploads);
  }
  auto handle = launcher_({.caller = caller_,
                           .spec = *std::move(spec),
                           .sha256 = RequestDigest(start.spec()),
                           .with_stdin = with_stdin_,
                           .observer = shared_from_this(),
                           .uploads = uploads_,
                           .detached = detached_});
  if (!handle) {
    Close(ToStatus(handle.error()));
    return false;
  }
  if (handle->existing) {
    OnExisting(*handle->existing);
    return true;
  }
  {
    const std::lock_guard lock(mutex_);
    if (final_ && !closed_) return true;  // the run is over already
    if (!closed_) {
      handle_ = std::move(handle->handle);
      return true;
    }
  }
  // A detached run goes on without its client, but not without its inputs.
  if (uploads_) uploads_->Finish();
  handle->handle->RequestStop({.kind = run::StopCause::Kind::kClientGone, .by = {}});
  return false;
}

bool RunStream::OnPiece(run::UploadPiece piece) {
  if (!inputs_left_.contains(piece.name)) {
    return Violate("a piece of input " + Quoted(piece.name) + ", which is none, or has ended");
  }
  if (!input_.empty() && piece.name != input_) {
    return Violate("a piece of input " + Quoted(piece.name) + " before the end of " +
                   Quoted(input_));
  }
  if (piece.data.size() > kMaxUploadMessage) {
    return Violate("more than 1 MiB of an input in one message");
  }
  input_ = piece.last ? std::string() : piece.name;
  if (piece.last) inputs_left_.erase(piece.name);
  return uploads_->Offer(std::move(piece));
}

bool RunStream::MayComeNow(std::string_view what) {
  if (!with_stdin_) return Violate(std::string(what) + ", where start did not ask for any stdin");
  if (inputs_left_.empty()) return true;
  return Violate(std::string(what) + " before the end of every input");
}

bool RunStream::OnStdin(const std::string& data) {
  if (!MayComeNow("stdin")) return false;
  if (data.size() > kMaxStdinMessage) return Violate("more than 1 MiB of stdin in one message");
  return stdin_->Offer(data);
}

bool RunStream::OnCancelMessage() {
  if (!started_) return Violate("a cancel before the start");
  std::shared_ptr<run::RunHandle> handle;
  {
    const std::lock_guard lock(mutex_);
    handle = handle_;
  }
  if (handle) {
    handle->RequestStop({.kind = run::StopCause::Kind::kCancelled, .by = caller_.principal});
  }
  return true;
}

void RunStream::OnReadEnd() {
  if (started_) {
    stdin_->Finish();
    if (uploads_) uploads_->Finish();
  } else {
    Violate("its end, before a start");
  }
}

bool RunStream::Violate(std::string_view what) {
  Close(ToStatus(Fail(ErrorCode::kInvalidArgument,
                      "read the stream of a run: got " + std::string(what), "PROTOCOL_VIOLATION")));
  return false;
}

void RunStream::OnWritten(bool ok) {
  bool resume = false;
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    sending_ = {};
    if (ok) ++written_;
    PumpLocked();
    resume = producer_paused_ && queue_.HasRoom();
    if (resume) producer_paused_ = false;
  }
  if (!ok) return OnCancelled();
  if (resume) Resume();
}

void RunStream::OnCancelled() {
  Close(grpc::Status(grpc::StatusCode::CANCELLED, "the call was cancelled"));
}

// A client that reads nothing would hold its last output for ever.
void RunStream::OnLingered() {
  const std::lock_guard lock(mutex_);
  if (port_ == nullptr) return;
  if (std::exchange(written_before_linger_, written_) == written_) {
    port_->Cancel();
  } else {
    port_->Linger(settings_.linger);
  }
}

void RunStream::Close(const grpc::Status& status) {
  std::shared_ptr<run::RunHandle> handle;
  std::shared_ptr<UploadPipe> uploads;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    uploads = uploads_;
    queue_.Clear();
    if (!final_) final_ = status;
    handle = std::move(handle_);
    PumpLocked();
  }
  if (handle) handle->RequestStop({.kind = run::StopCause::Kind::kClientGone, .by = {}});
  // A detached run does not stop for that, and must not wait for what will not come.
  if (uploads) uploads->Finish();
  Resume();
}

void RunStream::ReadLocked() {
  if (port_ != nullptr) port_->Read();
}

void RunStream::PumpLocked() {
  if (port_ == nullptr || writing_) return;
  if (queue_.Pop(sending_)) {
    writing_ = true;
    port_->Write(sending_);
  } else if (final_) {
    std::exchange(port_, nullptr)->Finish(*final_);
  }
}

void RunStream::Resume() {
  const std::lock_guard lock(resume_mutex_);
  if (resume_) resume_();
}

}  // namespace tidewaiter::rpc
