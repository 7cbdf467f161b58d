// The audit log's ways out of the host, as the configuration names them: forwarders of its records
// and the publisher of its checkpoints. Thread: one at a time, but for Now.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "audit/log.h"
#include "base/deadline.h"
#include "base/log.h"
#include "base/result.h"
#include "broker/daemon/preparation.h"
#include "broker/forward/checkpoint_publisher.h"
#include "broker/forward/forwarder.h"

namespace tidewaiter::daemon {

// Files of theirs that no run may mount.
std::vector<std::string> ForwardingPaths(const config::BrokerConfig& config);

// Made before the log, which may offer a checkpoint as soon as it is open and at its end; null
// where nothing is to be published. `log` must outlive it.
Result<std::unique_ptr<forward::CheckpointPublisher>> PublishCheckpoints(
    const Preparation& preparation, Log& log);

class Forwarding {
 public:
  // Begins to follow the log, which must outlive it. Errors: Forwarder::Start's.
  static Result<std::unique_ptr<Forwarding>> Start(const Preparation& preparation,
                                                   audit::Log& audit_log, Log& log);

  // What is committed by now goes out, as far as that is possible by then; nothing after it.
  void Finish(Deadline deadline);

  [[nodiscard]] std::vector<forward::Forwarder::Standing> Now() const;

 private:
  std::vector<std::unique_ptr<forward::Forwarder>> forwarders_;
};

}  // namespace tidewaiter::daemon
