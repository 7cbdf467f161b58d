// Reading the policy files anew while the broker serves. All or nothing: where a file has a
// problem, can be written by strangers, or the record of the change cannot be made durable, what
// was in force stays. Runs that are admitted already go on as admitted. Thread: any, one at a time;
// blocks on the disk.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "broker/config/broker_config.h"
#include "broker/config/ownership.h"
#include "broker/run/audit_sink.h"
#include "broker/run/policies_in_force.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::daemon {

// The record that from here on these decide.
run::AuditEvent PolicyLoadedEvent(const run::Policies& policies);
// What development mode means, said to the operator; nothing in production.
void WarnOfDevelopment(const run::Policies& policies,
                       const std::vector<config::OwnershipFinding>& forgiven, Log& log);

class PolicyReload {
 public:
  struct Parts {  // all borrowed
    std::string config_path;
    const config::BrokerConfig* config = nullptr;
    run::PoliciesInForce* policies = nullptr;
    run::AuditSink* audit = nullptr;
    Log* log = nullptr;
  };
  explicit PolicyReload(Parts parts) : parts_(std::move(parts)) {}

  // `by`: the caller, where one asked over the socket; `how`: "SIGHUP of pid 7, uid 0", for the
  // record. Both records (policy.loaded, policy.refused) name them.
  // Returns when no decision by the old files is under way any more, or after audit_deadline and
  // some seconds; then the log says so.
  v1::ReloadPolicyResponse Run(const std::optional<run::Caller>& by, const std::string& how);

  // From now on nothing is reloaded. Does not block.
  void Stop() noexcept { stopping_ = true; }

 private:
  v1::ReloadPolicyResponse Refuse(run::AuditEvent event, const run::Policies& kept,
                                  const Error& error);

  const Parts parts_;
  std::mutex one_at_a_time_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace tidewaiter::daemon
