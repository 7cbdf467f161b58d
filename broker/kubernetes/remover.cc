#include "broker/kubernetes/remover.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "broker/kubernetes/job_manifest.h"
#include "broker/kubernetes/labels.h"
#include "broker/run/pause.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using Kind = run::Resource::Kind;

constexpr milliseconds kFirstWait{50};
constexpr milliseconds kLongestWait{1000};
// How long the watch is waited for before the cluster is asked itself.
constexpr milliseconds kWatchPatience{2000};
constexpr milliseconds kPodNewsDelay{500};
constexpr std::size_t kMaxUnsettled = 4096;  // lost answers are rare

std::string KeyOf(const run::Resource& resource) {
  return std::string(ToString(resource.kind)) + " " + resource.name;
}

std::string UidOf(const Json& object) {
  return TextAt(At(object, {"metadata"}), "uid");
}

// A Job in the foreground: deleted otherwise it leaves its running pod behind (seen with 1.20). It
// would make another pod, so that it is gone is not left to its deletion's answer alone.
ClusterApi::Deletion DeletionOf(const ObjectKind& kind, const std::string& uid) {
  const bool job = kind.plural == kJobs.plural;
  return {.propagation = job ? "Foreground" : "Background",
          .uid = uid,
          .grace_seconds = {},
          .doubt_absence = job};
}

}  // namespace

const ObjectKind& KindOf(run::Resource::Kind kind) {
  switch (kind) {
    case Kind::kPod: return kPods;
    case Kind::kSecrets: return kSecrets;
    case Kind::kNetworkPolicy: return kNetworkPolicies;
    case Kind::kJob:
    case Kind::kNetwork:
    case Kind::kContainer: break;
  }
  return kJobs;
}

void Remover::ExpectLater(const run::Resource& resource, Deadline given_up) {
  const Deadline until = Deadline::At(given_up.when() + settings_.settle_time);
  auto unsettled = unsettled_.Lock();
  if (unsettled->size() >= kMaxUnsettled) {
    std::erase_if(*unsettled, [](const auto& entry) { return entry.second.Passed(); });
  }
  if (unsettled->size() >= kMaxUnsettled) unsettled->erase(unsettled->begin());
  unsettled->insert_or_assign(KeyOf(resource), until);
}

bool Remover::MayStillCome(const run::Resource& resource) {
  auto unsettled = unsettled_.Lock();
  const auto found = unsettled->find(KeyOf(resource));
  return found != unsettled->end() && !found->second.Passed();
}

run::Removal Remover::Remove(const run::Resource& resource, const RunId& run_id,
                             Deadline deadline) {
  const run::Patience patience{.stop = {}, .deadline = deadline};
  const ObjectKind& kind = KindOf(resource.kind);
  run::Removal removal;
  removal.kind = ToString(resource.kind);
  const bool many = run::StandsForMany(resource.kind);
  std::string uid = many ? std::string() : resource.id;  // which is one of them at most
  const Result<void> removed = many ? RemoveAll(kind, resource, run_id, patience)
                                    : RemoveNamed(kind, resource, run_id, uid, patience);
  removal.id = uid.empty() ? resource.name : uid;
  if (removed) {
    removal.confirmed_absent = true;
    unsettled_.Lock()->erase(KeyOf(resource));
  } else {
    removal.error = removed.error().message;
    removal.reason = removed.error().Reason();
  }
  return removal;
}

Result<void> Remover::RemoveNamed(const ObjectKind& kind, const run::Resource& resource,
                                  const RunId& run_id, std::string& uid,
                                  const run::Patience& patience) {
  if (uid.empty()) {
    TW_ASSIGN(const std::optional<Json> found, api_.Read(kind, resource.name, patience));
    if (!found && MayStillCome(resource)) {
      return Fail(ErrorCode::kUnavailable,
                  "remove " + std::string(kind.name) + " " + Quoted(resource.name) +
                      ": the cluster may still be creating it",
                  "STILL_CREATING");
    }
    if (!found || !BelongsTo(*found, settings_.broker_id, run_id)) return Ok();
    uid = UidOf(*found);
    if (uid.empty()) return InvalidAnswer("look up " + Quoted(resource.name), "no uid");
  }
  if (resource.kind == Kind::kJob) TW_TRY(EndPods(resource, run_id, patience));
  bool live = false;
  if (resource.kind == Kind::kNetworkPolicy) {
    TW_ASSIGN(live, watcher_.MayHaveLivePods(run_id, patience));
  }
  if (live) {
    return Fail(
        ErrorCode::kUnavailable,
        "remove network policy " + Quoted(resource.name) + ": a pod of the run may still run",
        "POD_RUNS");
  }
  TW_ASSIGN(const bool gone, api_.Delete(kind, resource.name, DeletionOf(kind, uid), patience));
  return gone ? Ok() : AwaitAbsence(kind, resource.name, uid, run_id, patience);
}

// Before the Job: its deletion in the foreground takes the network policy away at once, and leaves
// a pod its grace.
Result<void> Remover::EndPods(const run::Resource& job, const RunId& run_id,
                              const run::Patience& patience) {
  TW_ASSIGN(const bool live, watcher_.MayHaveLivePods(run_id, patience));
  if (!live) return Ok();
  const Result<Json> stopped = api_.Patch(kJobs, job.name, StopPatch(), patience);
  if (!stopped && stopped.error().code != ErrorCode::kNotFound) return stopped.error();
  while (watcher_.HasLivePods(run_id)) {
    if (patience.deadline.Passed()) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  "remove job " + Quoted(job.name) + ": a pod of it may still run", "POD_RUNS");
    }
    const run::Patience turn{.stop = patience.stop,
                             .deadline = patience.deadline.Sooner(Deadline::After(kWatchPatience))};
    static_cast<void>(watcher_.WaitUntilEnded(run_id, turn));
  }
  return Ok();
}

Result<void> Remover::AwaitAbsence(const ObjectKind& kind, const std::string& name,
                                   const std::string& uid, const RunId& run_id,
                                   const run::Patience& patience) {
  // The news may have come before the answer.
  if (kind.plural == kJobs.plural && watcher_.SawGo(run_id, kind)) return Ok();
  for (milliseconds wait = kFirstWait;; wait = std::min(wait * 2, kLongestWait)) {
    // The cluster tells of a Job's end by itself, if it has told of the Job; it is asked where it
    // does not.
    if (kind.plural == kJobs.plural && watcher_.Shows(run_id, kind)) {
      const Deadline soon = Deadline::After(std::max(kWatchPatience, settings_.stop_grace));
      const run::Patience watching{.stop = patience.stop,
                                   .deadline = patience.deadline.Sooner(soon)};
      if (watcher_.WaitUntilGone(run_id, kind, watching)) return Ok();
      // A watch that is closed just now says so at once.
      if (!watching.deadline.Passed()) static_cast<void>(run::Pause(wait, patience));
    } else {
      static_cast<void>(run::Pause(wait, patience));
    }
    TW_ASSIGN(const std::optional<Json> found, api_.Read(kind, name, patience));
    if (!found || UidOf(*found) != uid) return Ok();
    if (!patience.deadline.Passed()) continue;
    return Fail(ErrorCode::kDeadlineExceeded, "remove " + std::string(kind.name) + " " +
                                                  Quoted(name) + ": the cluster still shows it");
  }
}

// Found by the run's label, removed by name and uid.
Result<void> Remover::RemoveAll(const ObjectKind& kind, const run::Resource& resource,
                                const RunId& run_id, const run::Patience& patience) {
  // Its Job went first, and has waited for its pods; the watch of pods may be a moment behind that
  // of Jobs, and to wait for it spares the cluster a list for every run.
  if (resource.kind == Kind::kPod && watcher_.Shows(run_id, kPods)) {
    const Deadline soon = Deadline::After(kPodNewsDelay);
    static_cast<void>(watcher_.WaitUntilGone(
        run_id, kPods, {.stop = patience.stop, .deadline = patience.deadline.Sooner(soon)}));
  }
  if (resource.kind == Kind::kPod && watcher_.SawGo(run_id, kPods)) return Ok();
  const std::string query = LabelQuery(kRunLabel, run_id.value());
  for (milliseconds wait = kFirstWait;; wait = std::min(wait * 2, kLongestWait)) {
    std::vector<std::pair<std::string, std::string>> found;
    TW_ASSIGN(const std::string version,
              api_.ListMetadata(kind, query, patience, [&](const Json& object) {
                if (!BelongsTo(object, settings_.broker_id, run_id)) return;
                found.emplace_back(TextAt(At(object, {"metadata"}), "name"), UidOf(object));
              }));
    if (found.empty() && MayStillCome(resource)) {
      return Fail(ErrorCode::kUnavailable,
                  "remove " + std::string(kind.plural) + " of run " + Quoted(run_id.value()) +
                      ": the cluster may still be creating one",
                  "STILL_CREATING");
    }
    if (found.empty()) return Ok();
    for (const auto& [name, uid] : found) {
      TW_TRY(api_.Delete(kind, name, DeletionOf(kind, uid), patience));
    }
    if (!run::Pause(wait, patience)) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  "remove " + std::string(kind.plural) + " of run " + Quoted(run_id.value()) +
                      ": the cluster still shows " + std::to_string(found.size()));
    }
  }
}

}  // namespace tidewaiter::kubernetes
