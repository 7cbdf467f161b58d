// Port: the record of who did what. Append returns only when the record is on disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "broker/run/backend.h"
#include "broker/run/outcome.h"
#include "broker/run/run_files.h"
#include "policy/effective_run.h"
#include "policy/violation.h"

namespace tidewaiter::run {

// Who asked: the kernel's word, and what the policy file makes of it.
struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  // Which of all processes that ever had the pid, and its program: as the connection was accepted;
  // absent where that could not be told (broker/rpc/peer_process.h).
  std::optional<std::uint64_t> pid_start{};
  std::string executable{};
  std::string principal;
  friend bool operator==(const Caller&, const Caller&) = default;
};

// What a policy that is tried beside the one in force would have decided otherwise.
struct ShadowDecision {
  std::string policy_name;  // empty where the caller has none in it
  std::string policy_hash;
  bool admitted = false;
  std::vector<policy::Violation> violations;  // where it denies
  // Where both admit: what would be enforced otherwise (policy/effective_difference.h).
  std::vector<std::string> differing_fields;
};

// An archive that went into a run or came out of it.
struct ArchiveNote {
  std::string name;
  ArchiveSummary archive;
  std::uint64_t omitted = 0;  // of an output: what was left behind
  // Where it was refused or broke off: a reason, and the code of a refusal. `archive` means nothing
  // then.
  std::string error;
};

// One event of the log. Absent parts are left out of the record. Of the values of the environment
// and the arguments in `effective` a record has keyed hashes only: broker/daemon/audit_writer.h.
struct AuditEvent {
  enum class Type {
    kBrokerStarted,
    kBrokerStopped,
    kConfigLoaded,  // at a start, with config_hash
    kPolicyLoaded,
    kPolicyRefused,  // a reload that failed: what was in force stays
    kRunDenied,
    kRunAdmitted,
    kRunInput,   // an archive was unpacked, or refused
    kRunOutput,  // an archive was returned, or broke off
    kRunStarted,
    kRunAdopted,       // a former broker had started it
    kRunFinished,      // exactly one per kRunAdmitted
    kRunExpired,       // what was kept of a detached run has been removed
    kRunCancelled,     // who asked for it; the run's kRunFinished follows
    kTeardownOverdue,  // a removal is being retried
    kTeardownSettled,  // and has succeeded
    kJournalSetAside,  // a run's directory could not be believed
  };
  Type type = Type::kRunAdmitted;
  RunId run_id;
  std::optional<Caller> caller;
  std::string requested_image;  // as it was asked for, escaped and cut to 1,024 bytes
  std::string request_sha256;   // of a decision: 32 bytes (broker/rpc/request_digest.h)
  std::optional<policy::EffectiveRun> effective;
  std::optional<ResolvedImage> resolved;
  std::string container_id;
  std::string policy_name;
  std::string policy_hash;
  std::string shadow_policy_hash;  // of kPolicyLoaded: what is tried beside it
  std::string config_hash;
  std::vector<policy::Violation> violations;
  std::optional<ShadowDecision> shadow;  // of a decision, where the policy that is tried differs
  std::optional<ArchiveNote> archive;
  std::optional<Outcome> outcome;
  std::optional<Receipt> receipt;
  std::int64_t dropped_output_bytes = 0;
  std::string detail;
};

class AuditSink {
 public:
  virtual ~AuditSink() = default;

  // Durable when it returns. Where it could not be written by the deadline, no side effect may
  // follow; the reason is AUDIT_UNAVAILABLE, and the code says what became of the record:
  // UNAVAILABLE: it is not in the log and never will be (it was taken back). DEADLINE_EXCEEDED: it
  // was being written and may yet arrive; Recall tells later.
  virtual Result<void> Append(const AuditEvent& event, Deadline deadline) = 0;

  // For what must not be lost and must not wait, as the records of a teardown: queued in order
  // (also with those of Append), written as soon as the log can be written again. At most 65,536
  // are held, and as many more kRunFinished; the oldest are never dropped, the log says how many
  // later ones were. `on_durable`, where not empty, is called once, on any thread, when the record
  // is on disk; never where it was dropped. It must not block.
  virtual void AppendEventually(const AuditEvent& event, std::function<void()> on_durable) = 0;
  void AppendEventually(const AuditEvent& event) { AppendEventually(event, {}); }

  // Names the part of the log that is being written, so that it can be told later whether that is
  // still the one that Recall reads.
  [[nodiscard]] virtual std::string Mark() = 0;

  // What the log knows of a run: whether its kRunAdmitted, its kRunFinished and its kRunExpired are
  // on disk or still queued.
  struct Standing {
    bool admitted = false;
    bool finished = false;
    bool expired = false;
    // None is there, but what was the log at the run's mark was moved away since: they may have
    // been in that.
    bool unsure = false;
    friend bool operator==(const Standing&, const Standing&) = default;
  };
  // Asked after a crash and in doubt, never on a run's ordinary way: may read the whole log, once
  // for all that are asked for. Of each run, the Mark() from before its admission. A run that is
  // missing in the answer cannot be told yet.
  virtual Result<std::map<RunId, Standing>> Recall(const std::map<RunId, std::string>& runs) = 0;
};

}  // namespace tidewaiter::run
