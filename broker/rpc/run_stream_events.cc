// The run's side of RunStream: what it tells becomes events.
#include <utility>

#include "base/printable.h"
#include "broker/rpc/error_details.h"
#include "broker/rpc/run_stream.h"
#include "wire/answers.h"
#include "wire/run_spec.h"

namespace tidewaiter::rpc {
namespace {

constexpr std::size_t kMaxProgressText = 128;

}  // namespace

void RunStream::Send(v1::RunEvent event) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  queue_.Push(std::move(event));
  PumpLocked();
}

bool RunStream::Write(run::OutputStream stream, std::span<const std::byte> data) {
  const std::lock_guard lock(mutex_);
  if (closed_) return true;
  const bool go_on = queue_.PushOutput(stream, data);
  if (!go_on) producer_paused_ = true;
  PumpLocked();
  return go_on;
}

void RunStream::SetResume(std::function<void()> resume) {
  const std::lock_guard lock(resume_mutex_);
  resume_ = std::move(resume);
}

void RunStream::OnProgress(std::string_view layer, std::string_view status,
                           std::int64_t current_bytes, std::int64_t total_bytes) {
  v1::ImageProgress progress;
  progress.set_layer(Printable(layer, kMaxProgressText));
  progress.set_status(Printable(status, kMaxProgressText));
  progress.set_current_bytes(current_bytes);
  progress.set_total_bytes(total_bytes);
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  queue_.PushProgress(std::move(progress), EventQueue::Clock::now());
  PumpLocked();
}

void RunStream::OnDenied(const std::vector<policy::Violation>& violations,
                         std::string_view policy_name, std::string_view policy_hash) {
  v1::RunEvent event;
  v1::Denied& denied = *event.mutable_denied();
  for (const policy::Violation& violation : violations) {
    *denied.add_violations() = wire::ToProto(violation);
  }
  denied.set_policy(std::string(policy_name));
  denied.set_policy_hash(std::string(policy_hash));
  {
    const std::lock_guard lock(mutex_);
    answer_ = DenialStatus(violations);
  }
  Send(std::move(event));
}

void RunStream::OnAdmitted(const RunId& run_id, const policy::AdmittedRun& admitted) {
  v1::RunEvent event;
  event.mutable_admitted()->set_run_id(run_id.value());
  *event.mutable_admitted()->mutable_effective() = wire::ToProto(admitted.effective());
  event.mutable_admitted()->set_policy(admitted.policy_name());
  event.mutable_admitted()->set_policy_hash(admitted.policy_hash());
  Send(std::move(event));
}

void RunStream::OnExisting(const RunId& run_id) {
  v1::RunEvent event;
  event.mutable_admitted()->set_run_id(run_id.value());
  event.mutable_admitted()->set_existing(true);
  Send(std::move(event));
  {
    const std::lock_guard lock(mutex_);
    answer_ = grpc::Status::OK;
  }
  OnDone();
}

void RunStream::OnQueued(std::uint32_t ahead) {
  v1::RunEvent event;
  event.mutable_queued()->set_ahead(ahead);
  Send(std::move(event));
}

void RunStream::OnStarted(const run::ResolvedImage& image, const std::string& container_id) {
  v1::RunEvent event;
  event.mutable_started()->set_resolved_digest(image.digest);
  event.mutable_started()->set_image_id(image.image_id);
  event.mutable_started()->set_container_id(container_id);
  const std::lock_guard lock(mutex_);
  if (detached_) answer_ = grpc::Status::OK;  // nothing more comes here
  if (closed_) return;
  queue_.ReleaseOutput(std::move(event));
  PumpLocked();
}

void RunStream::OnTruncated(std::int64_t dropped_bytes, std::string_view reason) {
  v1::RunEvent event;
  event.mutable_truncated()->set_dropped_bytes(dropped_bytes);
  event.mutable_truncated()->set_reason(std::string(reason));
  Send(std::move(event));
}

Result<bool> RunStream::OnOutputPiece(const std::string& name, std::string_view data) {
  const std::lock_guard lock(mutex_);
  if (closed_) return true;
  const bool go_on = queue_.PushPiece(name, data);
  if (!go_on) producer_paused_ = true;
  PumpLocked();
  return go_on;
}

Result<void> RunStream::OnOutputEnd(const std::string& name, const run::OutputSummary& summary,
                                    std::string_view error) {
  v1::RunEvent event;
  event.mutable_output_piece()->set_name(name);
  *event.mutable_output_piece()->mutable_end() = wire::ToProto(summary);
  event.mutable_output_piece()->mutable_end()->set_error(std::string(error));
  Send(std::move(event));
  return Ok();
}

void RunStream::OnOutcome(const run::Outcome& outcome) {
  v1::RunEvent event;
  *event.mutable_result() = wire::ToProto(outcome);
  {
    const std::lock_guard lock(mutex_);
    answer_ = grpc::Status::OK;
    queue_.ReleaseOutput(std::nullopt);
  }
  Send(std::move(event));
}

void RunStream::OnReceipt(const run::Receipt& receipt) {
  v1::RunEvent event;
  *event.mutable_receipt() = wire::ToProto(receipt);
  Send(std::move(event));
}

void RunStream::OnRefused(const Error& error) {
  const std::lock_guard lock(mutex_);
  answer_ = ToStatus(error);
}

void RunStream::OnAttached(run::Attachment& attachment) {
  stdin_->Attach(attachment);
}

RunStream::Loss RunStream::OnAttachmentClosing() {
  stdin_->Detach();
  return {};
}

void RunStream::OnDone() {
  std::shared_ptr<run::RunHandle> handle;  // let go of without the lock: the run may die with it
  const std::lock_guard lock(mutex_);
  handle = std::move(handle_);
  queue_.ReleaseOutput(std::nullopt);
  if (!final_) {
    final_ = answer_.value_or(
        ToStatus(Fail(ErrorCode::kInternal, "run a container: the run ended without an outcome")));
  }
  PumpLocked();
  if (port_ != nullptr) port_->Linger(settings_.linger);
}

}  // namespace tidewaiter::rpc
