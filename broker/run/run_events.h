// The audit records of a run's life, built in one place, so that what is in them (and what never
// is) can be seen at a glance. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/strong_id.h"
#include "broker/run/audit_sink.h"
#include "broker/run/run_journal.h"
#include "policy/admitted_run.h"

namespace tidewaiter::run {

// What all records of one run have in common.
struct RunFacts {
  RunId run_id;
  Caller caller;
  std::string requested_image;   // as asked for, escaped, at most 1,024 bytes
  std::string request_sha256{};  // for the records of the decision alone; not journalled
  std::string policy_name;
  std::string policy_hash;
};

AuditEvent DeniedEvent(const RunFacts& facts, const std::vector<policy::Violation>& violations,
                       std::optional<ShadowDecision> shadow);
AuditEvent AdmittedEvent(const RunFacts& facts, const policy::EffectiveRun& effective,
                         std::optional<ShadowDecision> shadow);
AuditEvent StartedEvent(const RunFacts& facts, const ResolvedImage& image,
                        const std::string& container_id);
AuditEvent AdoptedEvent(const RunFacts& facts, const ResolvedImage& image,
                        const std::string& container_id);
// `type`: kRunInput or kRunOutput.
AuditEvent ArchiveEvent(AuditEvent::Type type, const RunFacts& facts, ArchiveNote note);
AuditEvent FinishedEvent(const RunFacts& facts, const Outcome& outcome, const Receipt& receipt);
// For kTeardownOverdue, kTeardownSettled.
AuditEvent TeardownEvent(AuditEvent::Type type, const RunId& run_id, std::string detail);

AuditEvent SetAsideEvent(const RunJournal::Found::SetAside& found);

// The facts that a journal entry has kept.
RunFacts FactsOf(const JournalEntry& entry);

}  // namespace tidewaiter::run
