// Port: the record of who did what. Append returns only when the record is on disk.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "broker/run/backend.h"
#include "broker/run/outcome.h"
#include "policy/effective_run.h"
#include "policy/violation.h"

namespace tidewaiter::run {

// Who asked: the kernel's word, and what the policy file makes of it.
struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::string principal;
  friend bool operator==(const Caller&, const Caller&) = default;
};

// One event of the log. Absent parts are left out of the record. Environment values and arguments
// have no place here, so that they cannot be written by mistake.
struct AuditEvent {
  enum class Type {
    kBrokerStarted,
    kBrokerStopped,
    kPolicyLoaded,
    kRunDenied,
    kRunAdmitted,
    kRunStarted,
    kRunFinished,      // exactly one per kRunAdmitted
    kRunCancelled,     // who asked for it; the run's kRunFinished follows
    kTeardownOverdue,  // a removal is being retried
    kTeardownSettled,  // and has succeeded
  };
  Type type = Type::kRunAdmitted;
  RunId run_id;
  std::optional<Caller> caller;
  std::string requested_image;  // as it was asked for, escaped and cut to 1,024 bytes
  std::optional<policy::EffectiveRun> effective;  // without env values and arguments once written
  std::optional<ResolvedImage> resolved;
  std::string container_id;
  std::string policy_name;
  std::string policy_hash;
  std::vector<policy::Violation> violations;
  std::optional<Outcome> outcome;
  std::optional<Receipt> receipt;
  std::int64_t dropped_output_bytes = 0;
  std::string detail;
};

class AuditSink {
 public:
  virtual ~AuditSink() = default;

  // Durable when it returns. UNAVAILABLE (AUDIT_UNAVAILABLE) where it could not be written by the
  // deadline: no side effect may follow then.
  virtual Result<void> Append(const AuditEvent& event, Deadline deadline) = 0;

  // For what must not be lost and must not wait, as the records of a teardown: queued in order,
  // written as soon as the log can be written again. At most 65,536 are held; the oldest are never
  // dropped, the log says how many later ones were.
  virtual void AppendEventually(const AuditEvent& event) = 0;
};

}  // namespace tidewaiter::run
