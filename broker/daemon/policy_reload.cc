#include "broker/daemon/policy_reload.h"

#include <fmt/format.h>

#include <sstream>
#include <utility>

#include "base/printable.h"
#include "broker/daemon/preparation.h"

namespace tidewaiter::daemon {
namespace {

// For what comes between a decision's beginning and its record: questions to the engine, the run's
// directory.
constexpr std::chrono::seconds kDecisionTime(10);

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string Asker(const std::optional<run::Caller>& by, const std::string& how) {
  if (!by) return how;
  return fmt::format("{} of {}, uid {}, pid {}", how, Quoted(by->principal), by->uid, by->pid);
}

v1::ReloadPolicyResponse Describe(const run::Policies& in_force) {
  v1::ReloadPolicyResponse response;
  response.set_policy_hash(in_force.enforced->hash());
  response.set_development(in_force.enforced->development());
  response.set_principals(static_cast<std::uint32_t>(in_force.enforced->principals().size()));
  if (in_force.shadow != nullptr) response.set_shadow_policy_hash(in_force.shadow->hash());
  return response;
}

}  // namespace

run::AuditEvent PolicyLoadedEvent(const run::Policies& policies) {
  run::AuditEvent event;
  event.type = run::AuditEvent::Type::kPolicyLoaded;
  event.policy_hash = policies.enforced->hash();
  if (policies.shadow != nullptr) event.shadow_policy_hash = policies.shadow->hash();
  if (policies.enforced->development()) event.detail = "development mode";
  return event;
}

void WarnOfDevelopment(const run::Policies& policies,
                       const std::vector<config::OwnershipFinding>& forgiven, Log& log) {
  if (!policies.enforced->development()) return;
  log.Write(LogLevel::kWarning,
            "development mode: images without version or digest may run, and files may lie where "
            "others can write; never use it in production");
  for (const config::OwnershipFinding& finding : forgiven) {
    log.Write(LogLevel::kWarning, fmt::format("development mode forgives: {} {}: {}", finding.what,
                                              Quoted(finding.path), finding.error.message));
  }
}

v1::ReloadPolicyResponse PolicyReload::Run(const std::optional<run::Caller>& by,
                                           const std::string& how) {
  const std::lock_guard lock(one_at_a_time_);
  const run::Policies before = *parts_.policies->Get();
  run::AuditEvent refused;
  refused.caller = by;
  refused.policy_hash = before.enforced->hash();
  refused.detail = how;
  Result<LoadedPolicies> loaded = LoadPolicies(parts_.config_path, *parts_.config);
  // After the disk, which may have taken its time.
  if (stopping_) {
    v1::ReloadPolicyResponse response = Describe(before);
    response.set_previous_policy_hash(before.enforced->hash());
    response.add_problems("reload the policy: the broker is stopping");
    return response;
  }
  if (!loaded) return Refuse(std::move(refused), before, loaded.error());

  // On disk before the first decision by it: no run may name a policy that the log does not know.
  run::AuditEvent event = PolicyLoadedEvent(loaded->policies);
  event.caller = by;
  event.detail = event.detail.empty() ? how : how + ", " + event.detail;
  const Deadline deadline = Deadline::After(parts_.config->audit_deadline);
  if (const auto recorded = parts_.audit->Append(event, deadline); !recorded) {
    return Refuse(std::move(refused), before, recorded.error().Within("record the new policy"));
  }
  const run::PoliciesInForce::Retired retired = parts_.policies->Replace(loaded->policies);
  if (!retired->Wait({}, Deadline::After(parts_.config->audit_deadline + kDecisionTime))) {
    parts_.log->Write(LogLevel::kWarning,
                      "policy reloaded, but decisions by the old one are still being recorded: a "
                      "disk or the engine is slow");
  }
  parts_.log->Write(LogLevel::kInfo,
                    fmt::format("policy reloaded by {}: {}, before {}{}", Asker(by, how),
                                loaded->policies.enforced->hash(), before.enforced->hash(),
                                loaded->policies.shadow != nullptr
                                    ? ", tried beside it: " + loaded->policies.shadow->hash()
                                    : std::string()));
  WarnOfDevelopment(loaded->policies, loaded->forgiven, *parts_.log);
  v1::ReloadPolicyResponse response = Describe(loaded->policies);
  response.set_reloaded(true);
  response.set_previous_policy_hash(before.enforced->hash());
  return response;
}

v1::ReloadPolicyResponse PolicyReload::Refuse(run::AuditEvent event, const run::Policies& kept,
                                              const Error& error) {
  const std::vector<std::string> problems = Lines(error.message);
  parts_.log->Write(LogLevel::kError,
                    fmt::format("policy not reloaded by {}; {} stays in force",
                                Asker(event.caller, event.detail), event.policy_hash));
  for (const std::string& problem : problems) parts_.log->Write(LogLevel::kError, problem);
  event.type = run::AuditEvent::Type::kPolicyRefused;
  event.detail += ": " + problems.front();
  if (problems.size() > 1) event.detail += fmt::format(" (and {} more)", problems.size() - 1);
  // Not waited for: nothing follows from it.
  parts_.audit->AppendEventually(event);
  v1::ReloadPolicyResponse response = Describe(kept);
  response.set_previous_policy_hash(kept.enforced->hash());
  *response.mutable_problems() = {problems.begin(), problems.end()};
  return response;
}

}  // namespace tidewaiter::daemon
