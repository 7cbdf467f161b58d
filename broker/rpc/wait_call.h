// One call of Broker.Wait, on gRPC's threads and whoever changes the run.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "broker/rpc/connection_table.h"
#include "broker/run/detached_run.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::rpc {

class WaitCall final : public grpc::ServerUnaryReactor, public run::DetachedRun::Watcher {
 public:
  struct Parts {
    std::shared_ptr<run::DetachedRun> run;
    std::function<bool()> may_read;  // asked before the answer
    // Held for as long as it lasts.
    ConnectionTable::Lease lease;
    std::shared_ptr<void> place;
  };
  // Owns itself until gRPC is done with it. `stop_all`: the broker is stopping.
  static grpc::ServerUnaryReactor* Begin(Parts parts, v1::WaitResponse& response,
                                         const std::stop_token& stop_all);
  static grpc::ServerUnaryReactor* Refuse(v1::WaitResponse& response, const grpc::Status& status);
  WaitCall(std::optional<Parts> parts, v1::WaitResponse& response)
      : parts_(std::move(parts)), response_(response) {}

  void OnChange() noexcept override;
  void OnCancel() noexcept override;
  void OnDone() noexcept override;

 private:
  struct End {
    std::weak_ptr<WaitCall> call;
    void operator()() const noexcept;
  };
  // Once; later ones are ignored. `ended`: what the response says.
  void Answer(const grpc::Status& status, const run::DetachedRun::State* ended = nullptr);

  std::optional<Parts> parts_;  // null where it is refused
  v1::WaitResponse& response_;  // until the answer
  std::mutex mutex_;
  bool answered_ = false;
  std::optional<std::stop_callback<End>> on_stop_all_;
  std::shared_ptr<WaitCall> self_;
};

}  // namespace tidewaiter::rpc
