#include "broker/daemon/diagnostics.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "broker/daemon/preparation.h"
#include "broker/files/ownership.h"
#include "extract/sandbox.h"

namespace tidewaiter::daemon {
namespace {

constexpr std::chrono::seconds kEnginePatience(5);
// Below it runs would soon fail for want of a record or a directory.
constexpr std::int64_t kLowDiskBytes = std::int64_t{256} << 20U;

void Add(v1::DiagnoseResponse& response, std::string_view name, bool ok, std::string detail) {
  v1::DiagnoseResponse::Check& check = *response.add_checks();
  check.set_name(std::string(name));
  check.set_ok(ok);
  check.set_detail(std::move(detail));
}

void AddDisk(v1::DiagnoseResponse& response, const std::string& path) {
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0) {
    Add(response, "disk", false, ErrnoError(errno, "look at the disk of '" + path + "'").message);
    return;
  }
  const auto free_bytes = static_cast<std::int64_t>(disk.f_bavail * disk.f_frsize);
  const bool enough = free_bytes >= kLowDiskBytes && (disk.f_files == 0 || disk.f_favail > 0);
  Add(response, "disk", enough,
      fmt::format("{} MiB free at {}{}", free_bytes >> 20U, path,
                  enough ? "" : ": make room, or admissions will stop"));
}

// A destination that is away costs no record, and still someone should know.
void AddForwarding(v1::DiagnoseResponse& response, const Forwarding& forwarding) {
  for (const forward::Forwarder::Standing& standing : forwarding.Now()) {
    std::string detail = standing.destination;
    detail += standing.behind == 0 ? ": has every record"
                                   : fmt::format(": {} record(s) behind", standing.behind);
    if (standing.missed > 0) {
      detail += fmt::format("; {} were gone from the log before they could be forwarded",
                            standing.missed);
    }
    if (standing.failure) detail += "; " + standing.failure->message;
    Add(response, "forwarding", !standing.failure, std::move(detail));
  }
}

void AddCheckpoints(v1::DiagnoseResponse& response,
                    const forward::CheckpointPublisher::Standing& standing) {
  std::string detail = standing.sink;
  detail += standing.published_size
                ? fmt::format(": {} record(s) attested, {} s ago", *standing.published_size,
                              standing.published_ago.value_or(std::chrono::seconds(0)).count())
                : std::string(": no checkpoint published since the start");
  if (standing.waiting_for) {
    detail += fmt::format("; one waits for {} s", standing.waiting_for->count());
  }
  if (standing.failure) detail += "; " + standing.failure->message;
  Add(response, "checkpoints", !standing.failure, std::move(detail));
}

// Each may be a run whose things on the engine nobody can name any more.
void AddSetAside(v1::DiagnoseResponse& response, const journal::DirectoryJournal& journal,
                 const std::string& state_dir) {
  const Result<std::size_t> count = journal.CountSetAside();
  if (!count) return Add(response, "journal", false, count.error().message);
  const bool none = *count == 0;
  Add(response, "journal", none,
      none ? "every run directory could be read"
           : fmt::format("{} run director{} set aside: read why in {}/set-aside/*.reason, then "
                         "move them away",
                         *count, *count == 1 ? "y" : "ies", state_dir));
}

// Whether runs can have inputs and outputs.
void AddArchives(v1::DiagnoseResponse& response, const std::string& worker) {
  if (::access(worker.c_str(), X_OK) != 0) {
    return Add(response, "archives", false,
               ErrnoError(errno, "execute '" + worker + "'").message + ": no run can have inputs");
  }
  const Result<bool> landlock = extract::HasLandlock();
  if (!landlock) return Add(response, "archives", false, landlock.error().message);
  std::string detail = "unpacked by " + worker;
  if (!*landlock) detail += ", without Landlock, which this kernel does not have";
  if (!files::MayGiveTo(policy::UserId())) {
    detail += "; inputs and outputs for runs of the broker's own user alone: it has no CAP_CHOWN";
  }
  Add(response, "archives", true, std::move(detail));
}

std::string HashOf(const std::shared_ptr<const policy::PolicySet>& policy) {
  return policy != nullptr ? policy->hash() : "none";
}

std::string Describe(const policy::PolicySet& policy) {
  return fmt::format("{} mode, {} principal(s)",
                     policy.development() ? "development" : "production",
                     policy.principals().size());
}

// What is in force, and whether the next start would find the same.
void AddPolicy(v1::DiagnoseResponse& response, const run::Policies& in_force,
               const Result<LoadedPolicies>& on_disk) {
  if (!on_disk) {
    return Add(response, "policy", false,
               "the files would not load now, so the broker would not start again:\n" +
                   on_disk.error().message);
  }
  std::string detail = Describe(*in_force.enforced);
  if (in_force.shadow != nullptr) detail += ", another is tried beside it";
  const bool same = HashOf(on_disk->policies.enforced) == HashOf(in_force.enforced) &&
                    HashOf(on_disk->policies.shadow) == HashOf(in_force.shadow);
  if (!same) detail += "; the files have changed since: tidewaiter policy reload";
  Add(response, "policy", same, std::move(detail));
}

// Whether records are written, signed for and looked after.
void AddAudit(v1::DiagnoseResponse& response, audit::Log& log, audit::SegmentKeeper& keeper,
              KeyChange& key_change, const std::string& folder) {
  const std::optional<Error> failure = log.Failure();
  Add(response, "audit", !failure, failure ? failure->message : "records are written to " + folder);
  const std::optional<Error> unsigned_since = log.CheckpointFailure();
  Add(response, "audit_tree", !unsigned_since,
      unsigned_since ? "no checkpoint can be made: " + unsigned_since->message
                     : fmt::format("{} records under a signed tree", log.SignedRecords()));
  if (const std::optional<Error> unkept = keeper.Failure()) {
    Add(response, "audit_files", false, unkept->message);
  }
  if (key_change.Pending()) {
    Add(response, "audit_key", false,
        "a change of the log's key was begun and has not come to its end, both sign: tidewaiter "
        "audit rotate-key");
  }
}

}  // namespace

v1::DiagnoseResponse Diagnostics::Run(bool for_operator) const {
  v1::DiagnoseResponse response;
  response.set_version(TIDEWAITER_VERSION);
  response.set_broker_id(parts_.environment->broker_id.value());
  const run::PoliciesInForce::Lease lease = parts_.environment->policies->Get();
  const run::Policies& policies = *lease;
  response.set_policy_hash(policies.enforced->hash());

  for (const auto& [name, backend] : parts_.environment->backends) {
    const Result<std::string> engine = backend->Describe(Deadline::After(kEnginePatience));
    Add(response, "engine", engine.has_value(), engine ? *engine : engine.error().message);
    if (!engine) continue;
    for (const std::string& lack : backend->Shortfalls(Deadline::After(kEnginePatience))) {
      Add(response, "engine", false, name + ": " + lack);
    }
  }
  AddAudit(response, *parts_.audit_log, *parts_.segment_keeper, *parts_.key_change,
           parts_.audit_dir);
  AddForwarding(response, *parts_.forwarding);
  if (parts_.checkpoints != nullptr) AddCheckpoints(response, parts_.checkpoints->Now());
  const bool writable = ::access(parts_.state_dir.c_str(), R_OK | W_OK | X_OK) == 0;
  Add(response, "state", writable,
      parts_.state_dir + (writable ? "" : ": this user cannot write it"));
  AddSetAside(response, *parts_.journal, parts_.state_dir);
  AddDisk(response, parts_.state_dir);
  AddArchives(response, parts_.worker);
  if (for_operator) {
    if (policies.shadow != nullptr) response.set_shadow_policy_hash(policies.shadow->hash());
    AddPolicy(response, policies, LoadPolicies(parts_.config_path, *parts_.config));
  } else {
    Add(response, "policy", true, Describe(*policies.enforced));
  }
  const run::RunRegistry::Counts counts = parts_.registry->Count();
  response.set_active_runs(counts.active);
  response.set_queued_runs(counts.queued);
  const bool settled = counts.overdue == 0 && counts.strays == 0 && counts.kept_overdue == 0;
  std::string overdue = fmt::format("{} removal(s) overdue", counts.overdue);
  if (counts.strays > 0) overdue += fmt::format(", and {} of what no run knows", counts.strays);
  if (counts.kept_overdue > 0) {
    overdue += fmt::format(", and {} of kept runs whose retention is over", counts.kept_overdue);
  }
  if (!settled) overdue += ": retried until they succeed; see the log and doctor --leaks";
  if (counts.comparison_fails) {
    overdue += "; the comparison with the engine fails, so that strays stay: see the log";
  }
  Add(response, "reaper", settled && !counts.comparison_fails, std::move(overdue));
  return response;
}

}  // namespace tidewaiter::daemon
