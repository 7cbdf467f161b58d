// One stream of audit records: a reader's thread writes, gRPC's threads report. Send blocks until
// the record has left, which is the backpressure of a slow client.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/guarded.h"
#include "broker/rpc/identity.h"
#include "tidewaiter/v1/audit.pb.h"

namespace tidewaiter::rpc {

class AuditStream final : public grpc::ServerWriteReactor<v1::AuditRecord> {
 public:
  struct Settings {
    // A client that takes nothing for so long is cancelled.
    std::chrono::milliseconds stall{std::chrono::seconds(30)};
    // Asked before each record: a reload may have withdrawn the caller's right while it follows.
    std::function<bool()> may_read;
  };

  // Owns itself until gRPC is done with it, as `context` lives until then. `stop_all` ends the
  // stream like a cancelled call; `lease` is held for as long as it lasts.
  static std::shared_ptr<AuditStream> Make(grpc::CallbackServerContext& context,
                                           ConnectionTable::Lease lease, Settings settings,
                                           const std::stop_token& stop_all);
  AuditStream(grpc::CallbackServerContext& context, ConnectionTable::Lease lease, Settings settings,
              const std::stop_token& stop_all);

  // The reader's side. False: the caller may not read any more; or nobody listens, or takes
  // nothing; the call is cancelled then, for a status would wait behind the record that is not
  // taken.
  bool Send(std::string_view line);
  // Any thread: the reader is to end.
  void Stop() noexcept { stop_.request_stop(); }
  // Stopped when the call is over.
  [[nodiscard]] std::stop_token stop() const { return stop_.get_token(); }

  void OnWriteDone(bool ok) noexcept override;
  void OnCancel() noexcept override { stop_.request_stop(); }
  void OnDone() noexcept override;

 private:
  struct RequestStop {
    std::stop_source stop;
    void operator()() const noexcept { static_cast<void>(std::stop_source(stop).request_stop()); }
  };

  grpc::CallbackServerContext& context_;
  const ConnectionTable::Lease lease_;
  const Settings settings_;
  std::stop_source stop_;
  const std::stop_callback<RequestStop> on_stop_all_;
  v1::AuditRecord record_;
  Guarded<std::optional<bool>> written_;  // of the write under way
  std::condition_variable_any changed_;
  std::shared_ptr<AuditStream> self_;
};

}  // namespace tidewaiter::rpc
