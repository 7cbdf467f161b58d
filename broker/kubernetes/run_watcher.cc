#include "broker/kubernetes/run_watcher.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "broker/kubernetes/labels.h"
#include "broker/kubernetes/pod_end.h"

namespace tidewaiter::kubernetes {
namespace {

constexpr std::int32_t kKilled = 128 + 9;

run::ContainerExit Lost(std::string message, std::string_view reason) {
  run::ContainerExit exit;
  exit.lost = Fail(ErrorCode::kUnavailable, std::move(message), reason);
  return exit;
}

run::ContainerExit Killed() {
  run::ContainerExit exit;
  exit.exit_code = kKilled;
  return exit;
}

std::string RunOf(const Json& object) {
  return TextAt(At(object, {"metadata", "labels"}), kRunLabel);
}

bool HasEnded(const Json& pod) {
  const std::string phase = TextAt(At(pod, {"status"}), "phase");
  return phase == "Succeeded" || phase == "Failed";
}

std::string UidOf(const Json& object) {
  return TextAt(At(object, {"metadata"}), "uid");
}

// The uid of what has made the object and ends it (meta/v1 OwnerReference); "" where nothing has.
std::string ControllerOf(const Json& object) {
  const Json& owners = At(object, {"metadata", "ownerReferences"});
  if (!owners.is_array()) return "";
  for (const Json& owner : owners) {
    if (At(owner, {"controller"}) == true) return TextAt(owner, "uid");
  }
  return "";
}

}  // namespace

RunWatcher::Tracked::Tracked(RunWatcher& owner, RunId run_id, PodCheck check, bool outlasts,
                             std::string expected_pod)
    : owner_(owner), run_id_(std::move(run_id)), state_(std::make_shared<State>()) {
  state_->check = std::move(check);
  state_->awaits_pods = !expected_pod.empty();
  state_->pod_uid = std::move(expected_pod);
  state_->outlasts_cluster = outlasts;
}

RunWatcher::Tracked::~Tracked() {
  owner_.shared_.Lock()->tracked.erase(run_id_.value());
}

std::optional<PodView> RunWatcher::Tracked::pod() {
  const auto shared = owner_.shared_.Lock();
  return state_->pod;
}

bool RunWatcher::Tracked::ended_without_pod() {
  const auto shared = owner_.shared_.Lock();
  return state_->job_end && !state_->pod;
}

bool RunWatcher::Tracked::WaitForChange(std::uint64_t& seen, const run::Patience& patience) {
  auto shared = owner_.shared_.Lock();
  const bool changed = shared.Wait(owner_.changed_, patience.stop, patience.deadline,
                                   [&] { return state_->changes != seen; });
  seen = state_->changes;
  return changed;
}

void RunWatcher::Tracked::BelongTo(std::string job_uid) {
  const auto shared = owner_.shared_.Lock();
  state_->job_uid = std::move(job_uid);
}

void RunWatcher::Tracked::End(run::ContainerExit exit) {
  {
    const auto shared = owner_.shared_.Lock();
    const State::Change change{*state_};
    state_->exited.Set(std::move(exit));
  }
  owner_.changed_.notify_all();
}

void RunWatcher::Tracked::SetOnChange(std::function<void()> on_change) {
  const auto shared = owner_.shared_.Lock();
  state_->on_change = std::move(on_change);
}

void RunWatcher::Tracked::ExpectKill(bool expected) {
  const auto shared = owner_.shared_.Lock();
  state_->kill_expected = expected;
}

RunWatcher::RunWatcher(ClusterApi& api, const KubernetesSettings& settings)
    : api_(api),
      settings_(settings),
      jobs_(api, kJobs, LabelQuery(kBrokerLabel, settings.broker_id.value()), settings,
            HandlersOf(&Shared::jobs)),
      pods_(api, kPods, LabelQuery(kBrokerLabel, settings.broker_id.value()), settings,
            HandlersOf(&Shared::pods)) {}

Watch::Handlers RunWatcher::HandlersOf(Kind Shared::*kind) {
  return {.on_list_begin = [this, kind] { ++((*shared_.Lock()).*kind).list; },
          .on_object = [this, kind](const Json& object) { OnObject(kind, object); },
          .on_list_end = [this, kind] { OnListEnd(kind); },
          .on_gone = [this, kind](const Json& object) { OnGone(kind, object); },
          .on_silence = [this](std::chrono::milliseconds silent,
                               const Error& error) { OnSilence(silent, error); }};
}

std::unique_ptr<RunWatcher::Tracked> RunWatcher::Track(const RunId& run_id, PodCheck check,
                                                       bool outlasts_cluster,
                                                       std::string expected_pod) {
  auto tracked = std::make_unique<Tracked>(*this, run_id, std::move(check), outlasts_cluster,
                                           std::move(expected_pod));
  shared_.Lock()->tracked.insert_or_assign(run_id.value(), tracked->state_);
  return tracked;
}

Result<void> RunWatcher::AskForPods(const RunId& run_id, const PodCheck& check,
                                    const run::Patience& patience) {
  const auto look = [&](const Json& pod) {
    if (!BelongsTo(pod, settings_.broker_id, run_id)) return;
    if (check) {
      auto shared = shared_.Lock();
      const auto found = shared->tracked.find(run_id.value());
      if (found != shared->tracked.end()) found->second->check = check;
    }
    OnObject(&Shared::pods, pod);
  };
  TW_TRY(api_.List(kPods, LabelQuery(kRunLabel, run_id.value()), patience, look));
  Settle(run_id);
  return Ok();
}

void RunWatcher::Settle(const RunId& run_id) {
  {
    auto shared = shared_.Lock();
    const auto found = shared->tracked.find(run_id.value());
    if (found == shared->tracked.end()) return;
    Tracked::State& state = *found->second;
    if (!state.pod && !state.replaced && state.job_end) {
      state.exited.Set(*std::exchange(state.job_end, {}));
    }
    if (std::exchange(state.awaits_pods, false)) SettleExpected(state);
    const Tracked::State::Change change{state};
  }
  changed_.notify_all();
}

// What the expected pod has told of itself goes first: it may be on its way out, and another one
// have come already.
void RunWatcher::SettleExpected(Tracked::State& state) {
  if (state.replaced) {
    state.exited.Set(
        Lost("adopt the pod: it was replaced while no broker was there", "CONTAINER_LOST"));
  } else if (!state.pod && !state.kill_expected) {
    state.exited.Set(
        Lost("adopt the pod: it went while no broker was there, and how it ended is "
             "not known",
             "CONTAINER_LOST"));
  }
}

Result<void> RunWatcher::WaitUntilFollowing(const run::Patience& patience) {
  TW_TRY(jobs_.WaitUntilFollowing(patience));
  return pods_.WaitUntilFollowing(patience);
}

void RunWatcher::OnObject(Kind Shared::*kind, const Json& object) {
  const std::string run = RunOf(object);
  const std::string uid = UidOf(object);
  if (run.empty() || uid.empty()) return;
  {
    auto shared = shared_.Lock();
    Kind& all = (*shared).*kind;
    Objects& objects = all.by_run[run];
    const bool pod = kind == &Shared::pods;
    objects.uids[uid] = {.list = all.list, .ended = pod && HasEnded(object)};
    if (const auto found = shared->tracked.find(run); found != shared->tracked.end()) {
      (pod ? OnPod : OnJob)(*found->second, object);
    }
  }
  changed_.notify_all();
}

void RunWatcher::OnPod(Tracked::State& state, const Json& pod) {
  std::optional<PodView> view = ReadPod(pod);
  if (!view || state.job_uid.empty() || ControllerOf(pod) != state.job_uid) return;
  const Tracked::State::Change change{state};
  if (state.pod_uid.empty()) state.pod_uid = view->uid;
  if (state.pod_uid != view->uid) {
    // The controller has made another one in its place, which runs the command again.
    state.replaced = true;
    if (state.awaits_pods) return;
    state.exited.Set(
        Lost("watch the pod: it was replaced behind the broker's back", "CONTAINER_LOST"));
    return;
  }
  if (const PodCheck check = std::exchange(state.check, {})) {
    if (const auto conforms = check(pod); !conforms) {
      run::ContainerExit exit;
      exit.lost = conforms.error();
      state.exited.Set(std::move(exit));
    }
  }
  if (auto end = EndOf(*view, state.kill_expected)) state.exited.Set(*std::move(end));
  state.pod = std::move(view);
}

// A pod's own end says more than its Job's; the Job's counts where no pod is there to tell.
void RunWatcher::OnJob(Tracked::State& state, const Json& job) {
  const Json& conditions = At(job, {"status", "conditions"});
  if (!conditions.is_array() || state.pod || UidOf(job) != state.job_uid) return;
  for (const Json& condition : conditions) {
    const std::string type = TextAt(condition, "type");
    const bool ended = type == "Failed" || type == "Complete";
    if (!ended || TextAt(condition, "status") != "True") continue;
    const std::string reason = TextAt(condition, "reason");
    const std::string why =
        Printable(reason, 64) + ": " + Printable(TextAt(condition, "message"), 400);
    const Tracked::State::Change change{state};
    state.job_end = Lost(
        ("the Job is " + type).append(", and no pod of it is there to tell more: ").append(why),
        reason == "DeadlineExceeded" ? "JOB_DEADLINE_EXCEEDED" : "JOB_FAILED");
  }
}

// Its pods, if there are any, go with it, and tell how they ended.
void RunWatcher::OnJobGone(Tracked::State& state, const std::string& uid) {
  if (state.pod || uid != state.job_uid) return;
  const Tracked::State::Change change{state};
  if (state.kill_expected) {
    state.exited.Set(Killed());
    return;
  }
  state.job_end = Lost(
      "watch the Job: it was removed behind the broker's back, and no pod of it is there to tell "
      "more",
      "CONTAINER_LOST");
}

void RunWatcher::OnPodGone(Tracked::State& state, const std::string& uid) {
  if (!state.pod || state.pod->uid != uid) return;
  const Tracked::State::Change change{state};
  if (state.kill_expected) {
    state.exited.Set(Killed());
  } else {
    state.exited.Set(
        Lost("watch the pod: it was removed behind the broker's back", "CONTAINER_LOST"));
  }
}

void RunWatcher::OnGone(Kind Shared::*kind, const Json& object) {
  const std::string run = RunOf(object);
  const std::string uid = UidOf(object);
  {
    auto shared = shared_.Lock();
    const auto tracked = shared->tracked.find(run);
    // The last state comes with the news of the end.
    if (tracked != shared->tracked.end() && kind == &Shared::pods) {
      OnPod(*tracked->second, object);
      OnPodGone(*tracked->second, uid);
    } else if (tracked != shared->tracked.end()) {
      OnJobGone(*tracked->second, uid);
    }
    Kind& all = (*shared).*kind;
    const auto found = all.by_run.find(run);
    if (found != all.by_run.end()) {
      found->second.uids.erase(uid);
      if (found->second.uids.empty()) {
        all.by_run.erase(found);
        all.RememberGone(run);
      }
    }
  }
  changed_.notify_all();
}

void RunWatcher::OnListEnd(Kind Shared::*kind) {
  {
    auto shared = shared_.Lock();
    Kind& all = (*shared).*kind;
    for (auto run = all.by_run.begin(); run != all.by_run.end();) {
      Objects& objects = run->second;
      const auto tracked = shared->tracked.find(run->first);
      for (auto uid = objects.uids.begin(); uid != objects.uids.end();) {
        if (uid->second.list == all.list) {
          ++uid;
          continue;
        }
        if (tracked != shared->tracked.end() && kind == &Shared::pods) {
          OnPodGone(*tracked->second, uid->first);
        } else if (tracked != shared->tracked.end()) {
          OnJobGone(*tracked->second, uid->first);
        }
        uid = objects.uids.erase(uid);
      }
      const bool gone = objects.uids.empty();
      if (gone) all.RememberGone(run->first);
      run = gone ? all.by_run.erase(run) : std::next(run);
    }
  }
  changed_.notify_all();
}

void RunWatcher::OnSilence(std::chrono::milliseconds silent, const Error& error) {
  if (silent < settings_.watch_loss_limit) return;
  {
    auto shared = shared_.Lock();
    for (const auto& [run, state] : shared->tracked) {
      if (state->outlasts_cluster) continue;
      const Tracked::State::Change change{*state};
      state->exited.Set(Lost(error.message, "ENGINE_UNAVAILABLE"));
    }
  }
  changed_.notify_all();
}

bool RunWatcher::Shows(const RunId& run_id, const ObjectKind& kind) {
  const bool pods = kind.plural == kPods.plural;
  if (!(pods ? pods_ : jobs_).Following()) return false;
  auto shared = shared_.Lock();
  return (pods ? shared->pods : shared->jobs).by_run.contains(run_id.value());
}

bool RunWatcher::WaitUntilGone(const RunId& run_id, const ObjectKind& kind,
                               const run::Patience& patience) {
  const bool pods = kind.plural == kPods.plural;
  Watch& watch = pods ? pods_ : jobs_;
  if (!watch.Following()) return false;
  auto shared = shared_.Lock();
  return shared.Wait(changed_, patience.stop, patience.deadline, [&] {
    const Kind& all = pods ? shared->pods : shared->jobs;
    return !all.by_run.contains(run_id.value());
  });
}

bool RunWatcher::SawGo(const RunId& run_id, const ObjectKind& kind) {
  auto shared = shared_.Lock();
  const Kind& all = kind.plural == kPods.plural ? shared->pods : shared->jobs;
  return !all.by_run.contains(run_id.value()) && all.gone.contains(run_id.value());
}

Result<bool> RunWatcher::MayHaveLivePods(const RunId& run_id, const run::Patience& patience) {
  if (!pods_.Following()) TW_TRY(AskForPods(run_id, {}, patience));
  return HasLivePods(run_id);
}

bool RunWatcher::HasLivePods(const RunId& run_id) {
  return shared_.Lock()->HasLivePods(run_id);
}

bool RunWatcher::WaitUntilEnded(const RunId& run_id, const run::Patience& patience) {
  auto shared = shared_.Lock();
  return shared.Wait(changed_, patience.stop, patience.deadline,
                     [&] { return !shared->HasLivePods(run_id); });
}

bool RunWatcher::Shared::HasLivePods(const RunId& run_id) const {
  const auto found = pods.by_run.find(run_id.value());
  if (found == pods.by_run.end()) return false;
  const auto& uids = found->second.uids;
  return std::any_of(uids.begin(), uids.end(), [](const auto& one) { return !one.second.ended; });
}

void RunWatcher::LookAtJob(const Json& job) {
  OnObject(&Shared::jobs, job);
}

std::optional<std::string> AwaitStart(RunWatcher::Tracked& tracked, const std::stop_token& stop) {
  std::uint64_t seen = 0;
  for (;;) {
    // In this order: an end that comes in between has told of its pod before.
    const bool exited = tracked.exited().Peek().has_value();
    const std::optional<PodView> view = tracked.pod();
    if (view && HasStarted(*view)) return view->name;
    if (exited) return std::nullopt;
    static_cast<void>(tracked.WaitForChange(seen, {.stop = stop, .deadline = Deadline::Never()}));
    if (stop.stop_requested()) return std::nullopt;
  }
}

// Far more than removals can be under way; who asks after that lists.
void RunWatcher::Kind::RememberGone(const std::string& run) {
  constexpr std::size_t kMost = 8192;
  if (gone.size() >= kMost) gone.clear();
  gone.insert(run);
}

}  // namespace tidewaiter::kubernetes
