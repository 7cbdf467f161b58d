#include "broker/rpc/run_stream.h"

#include <utility>

#include "base/printable.h"
#include "broker/rpc/error_details.h"
#include "wire/run_spec.h"

namespace tidewaiter::rpc {
namespace {

constexpr std::size_t kMaxStdinMessage = std::size_t{1} << 20U;

}  // namespace

RunStream::RunStream(Launcher launcher, run::Caller caller, Settings settings)
    : launcher_(std::move(launcher)), caller_(std::move(caller)), settings_(settings) {}

void RunStream::Open(StreamPort& port) {
  stdin_ = std::make_shared<StdinPipe>([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->mutex_);
    if (std::exchange(self->read_paused_, false)) self->ReadLocked();
  });
  const std::lock_guard lock(mutex_);
  port_ = &port;
  ReadLocked();
}

void RunStream::OnRead(bool ok, const v1::RunRequest& request) {
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
      if (!with_stdin_) {
        read_on = Violate("an end of stdin, where start did not ask for any");
        break;
      }
      stdin_->Finish();
      read_on = true;
      break;
    case Message::kCancel: read_on = OnCancelMessage(); break;
    case Message::kInput: read_on = Violate("an input, which this version does not take"); break;
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
  auto handle = launcher_({.caller = caller_,
                           .spec = *std::move(spec),
                           .with_stdin = with_stdin_,
                           .observer = shared_from_this()});
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

bool RunStream::OnStdin(const std::string& data) {
  if (!with_stdin_) return Violate("stdin, where start did not ask for any");
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
