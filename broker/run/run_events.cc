#include "broker/run/run_events.h"

#include <utility>

#include "base/printable.h"

namespace tidewaiter::run {
namespace {

AuditEvent Base(AuditEvent::Type type, const RunFacts& facts) {
  AuditEvent event;
  event.type = type;
  event.run_id = facts.run_id;
  event.caller = facts.caller;
  event.requested_image = facts.requested_image;
  event.policy_name = facts.policy_name;
  event.policy_hash = facts.policy_hash;
  return event;
}

}  // namespace

AuditEvent DeniedEvent(const RunFacts& facts, const std::vector<policy::Violation>& violations,
                       std::optional<ShadowDecision> shadow) {
  AuditEvent event = Base(AuditEvent::Type::kRunDenied, facts);
  event.request_sha256 = facts.request_sha256;
  event.violations = violations;
  event.shadow = std::move(shadow);
  return event;
}

AuditEvent AdmittedEvent(const RunFacts& facts, const policy::EffectiveRun& effective,
                         std::optional<ShadowDecision> shadow) {
  AuditEvent event = Base(AuditEvent::Type::kRunAdmitted, facts);
  event.request_sha256 = facts.request_sha256;
  event.effective = effective;
  event.shadow = std::move(shadow);
  return event;
}

AuditEvent StartedEvent(const RunFacts& facts, const ResolvedImage& image,
                        const std::string& container_id) {
  AuditEvent event = Base(AuditEvent::Type::kRunStarted, facts);
  event.resolved = image;
  event.container_id = container_id;
  return event;
}

AuditEvent AdoptedEvent(const RunFacts& facts, const ResolvedImage& image,
                        const std::string& container_id) {
  AuditEvent event = StartedEvent(facts, image, container_id);
  event.type = AuditEvent::Type::kRunAdopted;
  return event;
}

AuditEvent ArchiveEvent(AuditEvent::Type type, const RunFacts& facts, ArchiveNote note) {
  AuditEvent event = Base(type, facts);
  event.archive = std::move(note);
  return event;
}

AuditEvent FinishedEvent(const RunFacts& facts, const Outcome& outcome, const Receipt& receipt) {
  AuditEvent event = Base(AuditEvent::Type::kRunFinished, facts);
  event.outcome = outcome;
  event.receipt = receipt;
  return event;
}

AuditEvent TeardownEvent(AuditEvent::Type type, const RunId& run_id, std::string detail) {
  AuditEvent event;
  event.type = type;
  event.run_id = run_id;
  event.detail = std::move(detail);
  return event;
}

AuditEvent SetAsideEvent(const RunJournal::Found::SetAside& found) {
  AuditEvent event;
  event.type = AuditEvent::Type::kJournalSetAside;
  event.run_id = found.run_id;
  event.detail = found.what;
  return event;
}

RunFacts FactsOf(const JournalEntry& entry) {
  return RunFacts{.run_id = entry.run_id,
                  .caller = entry.caller,
                  .requested_image = entry.requested_image.empty() ? Printable(entry.image, 1024)
                                                                   : entry.requested_image,
                  .policy_name = entry.policy_name,
                  .policy_hash = entry.policy_hash};
}

}  // namespace tidewaiter::run
