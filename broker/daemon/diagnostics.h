// The daemon's own answers to `tidewaiter doctor`. Blocks for as long as the engine takes, at most
// a few seconds: never on gRPC's threads.
#pragma once

#include <string>

#include "audit/log.h"
#include "audit/segment_keeper.h"
#include "broker/config/broker_config.h"
#include "broker/daemon/forwarding.h"
#include "broker/daemon/key_change.h"
#include "broker/forward/checkpoint_publisher.h"
#include "broker/journal/directory_journal.h"
#include "broker/run/environment.h"
#include "broker/run/run_registry.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::daemon {

class Diagnostics {
 public:
  struct Parts {  // all borrowed
    const run::Environment* environment = nullptr;
    const run::RunRegistry* registry = nullptr;
    audit::Log* audit_log = nullptr;
    audit::SegmentKeeper* segment_keeper = nullptr;
    KeyChange* key_change = nullptr;
    const journal::DirectoryJournal* journal = nullptr;
    const Forwarding* forwarding = nullptr;
    const forward::CheckpointPublisher* checkpoints = nullptr;  // null: none are published
    std::string config_path;
    const config::BrokerConfig* config = nullptr;
    std::string worker;  // path of tidewaiter-extract
    std::string state_dir;
    std::string audit_dir;
  };
  explicit Diagnostics(Parts parts) : parts_(std::move(parts)) {}

  // What the policy files on the disk say is for operators: it is not in force yet, and reading it
  // takes time.
  [[nodiscard]] v1::DiagnoseResponse Run(bool for_operator) const;

 private:
  const Parts parts_;
};

}  // namespace tidewaiter::daemon
