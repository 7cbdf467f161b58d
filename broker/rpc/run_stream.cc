#include "broker/rpc/run_stream.h"

#include <utility>
#include <variant>

#include "base/printable.h"
#include "broker/rpc/error_details.h"
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

void RunStream::OnRead(bool ok, v1::RunRequest request) {
  if (!ok) return OnReadEnd();
  if (const auto refusal = settings_.bound.Refusal(request)) return Close(*refusal);
  {
    // Before the message is looked at: room may come up while it is.
    const std::lock_guard lock(mutex_);
    read_paused_ = true;
  }
  bool read_on = false;
  using Message = v1::RunRequest::MessageCase;
  switch (request.message_case()) {
    case Message::kStart: read_on = OnStart(request.start()); break;
    case Message::kStdin: read_on = OnStdin(request.stdin()); break;
    case Message::kStdinEnd:
      read_on = MayComeNow("an end of stdin");
      if (read_on) stdin_->Finish();
      break;
    case Message::kCancel: read_on = OnCancelMessage(); break;
    case Message::kInput: read_on = OnInput(std::move(*request.mutable_input())); break;
    case Message::MESSAGE_NOT_SET:
      read_on = Violate("a message that this version does not know");
      break;
  }
  if (!read_on) return;
  const std::lock_guard lock(mutex_);
  if (std::exchange(read_paused_, false)) ReadLocked();
}

bool RunStream::OnStart(const v1::StartRun& start) {
  if (std::exchange(started_, true)) return Violate("a second start");
  with_stdin_ = start.stdin();
  Result<policy::RunSpec> spec = wire::FromProto(start.spec());
  if (!spec) {
    Close(ToStatus(spec.error()));
    return false;
  }
  for (const policy::Mount& mount : spec->mounts) {
    const auto* input = std::get_if<policy::InputMount>(&mount.source);
    if (input != nullptr) inputs_left_.insert(input->name);
  }
  if (!inputs_left_.empty()) uploads_ = std::make_shared<UploadPipe>(ReadOn());
  auto handle = launcher_({.caller = caller_,
                           .spec = *std::move(spec),
                           .with_stdin = with_stdin_,
                           .observer = shared_from_this(),
                           .uploads = uploads_});
  if (!handle) {
    Close(ToStatus(handle.error()));
    return false;
  }
  {
    const std::lock_guard lock(mutex_);
    if (final_ && !closed_) return true;  // the run is over already
    if (!closed_) {
      handle_ = *std::move(handle);
      return true;
    }
  }
  (*handle)->RequestStop({.kind = run::StopCause::Kind::kClientGone, .by = {}});
  return false;
}

bool RunStream::OnInput(v1::InputPiece piece) {
  if (!inputs_left_.contains(piece.name())) {
    return Violate("a piece of input " + Quoted(piece.name()) + ", which is none, or has ended");
  }
  if (!input_.empty() && piece.name() != input_) {
    return Violate("a piece of input " + Quoted(piece.name()) + " before the end of " +
                   Quoted(input_));
  }
  if (piece.data().size() > kMaxUploadMessage) {
    return Violate("more than 1 MiB of an input in one message");
  }
  input_ = piece.last() ? std::string() : piece.name();
  if (piece.last()) inputs_left_.erase(piece.name());
  return uploads_->Offer({.name = std::move(*piece.mutable_name()),
                          .data = std::move(*piece.mutable_data()),
                          .last = piece.last()});
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

// A half-close: the client has nothing more to say. OnCancelled tells where it is gone.
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
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    queue_.Clear();
    if (!final_) final_ = status;
    handle = std::move(handle_);
    PumpLocked();
  }
  if (handle) handle->RequestStop({.kind = run::StopCause::Kind::kClientGone, .by = {}});
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
