#include "broker/rpc/audit_stream.h"

#include <grpcpp/server_context.h>

#include <utility>

namespace tidewaiter::rpc {

std::shared_ptr<AuditStream> AuditStream::Make(grpc::CallbackServerContext& context,
                                               ConnectionTable::Lease lease, Settings settings,
                                               const std::stop_token& stop_all) {
  auto stream =
      std::make_shared<AuditStream>(context, std::move(lease), std::move(settings), stop_all);
  stream->self_ = stream;
  return stream;
}

AuditStream::AuditStream(grpc::CallbackServerContext& context, ConnectionTable::Lease lease,
                         Settings settings, const std::stop_token& stop_all)
    : context_(context),
      lease_(std::move(lease)),
      settings_(std::move(settings)),
      on_stop_all_(stop_all, RequestStop{stop_}) {}

bool AuditStream::Send(std::string_view line) {
  if (stop_.stop_requested() || !settings_.may_read()) return false;
  record_.set_json(std::string(line));
  *written_.Lock() = std::nullopt;
  StartWrite(&record_);
  const auto answered = [this](Deadline deadline) {
    auto written = written_.Lock();
    return written.Wait(changed_, std::stop_token(), deadline,
                        [&] { return written->has_value(); });
  };
  // Without the stop token: gRPC answers every write, of a cancelled call too, and `record_` is its
  // until then.
  if (!answered(Deadline::After(settings_.stall))) {
    stop_.request_stop();
    context_.TryCancel();
    answered(Deadline::Never());
  }
  return written_.Lock()->value_or(false) && !stop_.stop_requested();
}

void AuditStream::OnWriteDone(bool ok) noexcept {
  *written_.Lock() = ok;
  changed_.notify_all();
}

void AuditStream::OnDone() noexcept {
  stop_.request_stop();
  const std::shared_ptr<AuditStream> last = std::move(self_);
}

}  // namespace tidewaiter::rpc
