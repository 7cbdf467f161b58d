// Knows what has become of every run's Job and pods: one watch for each of the two kinds, whatever
// the number of runs. Thread-safe; it changes nothing in the cluster.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "base/completion.h"
#include "base/guarded.h"
#include "base/strong_id.h"
#include "broker/kubernetes/cluster_api.h"
#include "broker/kubernetes/pod_view.h"
#include "broker/kubernetes/settings.h"
#include "broker/kubernetes/watch.h"
#include "broker/run/backend.h"

namespace tidewaiter::kubernetes {

class RunWatcher {
 public:
  // `loop` thread calls it with each pod of a run before anything is made of it: an error is the
  // run's end.
  using PodCheck = std::function<Result<void>(const Json& pod)>;

  // One run under watch, until it is destroyed.
  class Tracked {
   public:
    Tracked(RunWatcher& owner, RunId run_id, PodCheck check, bool outlasts_cluster,
            std::string expected_pod);
    ~Tracked();
    Tracked(const Tracked&) = delete;
    Tracked& operator=(const Tracked&) = delete;

    // Set once the job's container has ended, or will not tell any more how it does: its pod went
    // (CONTAINER_LOST), the Job failed without one (JOB_FAILED), the cluster has told nothing for
    // too long (ENGINE_UNAVAILABLE).
    Completion<run::ContainerExit>& exited() noexcept { return state_->exited; }
    // The Job whose pods are the run's, from here on; until then none is. Labels alone make none:
    // anybody may write them.
    void BelongTo(std::string job_uid);
    // Ends the run for a reason that neither its Job nor its pod tells.
    void End(run::ContainerExit exit);
    // Its pod as last seen; nothing where there has been none. Never another one than the first,
    // or than the one that was expected.
    [[nodiscard]] std::optional<PodView> pod();
    // Whether the Job has ended, by what is told of it alone, and no pod is known that would say
    // more: exited() is set only by a pod that comes after all, or by AskForPods().
    [[nodiscard]] bool ended_without_pod();
    // Waits for a change of any of these since `seen`, which is moved along. False: the
    // patience ended first.
    bool WaitForChange(std::uint64_t& seen, const run::Patience& patience);
    // Called at each such change, under the watcher's lock: it must neither block nor ask this.
    // None comes after it has been taken away.
    void SetOnChange(std::function<void()> on_change);
    // It is being ended on purpose: a pod that goes has been killed, and is not lost.
    void ExpectKill(bool expected = true);
    [[nodiscard]] bool kill_expected() const noexcept { return state_->kill_expected; }
    // Its log was found to be another one than before: what was read of it cannot be gone on with.
    void LoseLog() noexcept { state_->log_lost = true; }
    [[nodiscard]] bool log_lost() const noexcept { return state_->log_lost; }

   private:
    friend class RunWatcher;
    struct State {
      Completion<run::ContainerExit> exited;
      // The rest under the watcher's lock.
      PodCheck check;
      std::string job_uid;
      std::optional<PodView> pod;
      std::optional<run::ContainerExit> job_end;  // by the Job; see AskForPods
      std::string pod_uid;  // of the run's pod: as it was expected, or the first one's
      // Whether, of a pod that was expected, nothing is known before it was asked for.
      bool awaits_pods = false;
      bool replaced = false;  // meanwhile, by another one
      std::uint64_t changes = 0;
      std::function<void()> on_change;
      // Tells of a change when it is complete.
      struct Change {
        State& state;
        ~Change() {
          ++state.changes;
          if (state.on_change) state.on_change();
        }
      };
      std::atomic<bool> kill_expected = false;
      std::atomic<bool> log_lost = false;
      bool outlasts_cluster = false;
    };
    RunWatcher& owner_;
    const RunId run_id_;
    const std::shared_ptr<State> state_;
  };

  // `on_lost`: see Watch::Handlers::on_silence. The arguments must outlive it.
  RunWatcher(ClusterApi& api, const KubernetesSettings& settings);
  ~RunWatcher() = default;  // every Tracked must be gone
  RunWatcher(const RunWatcher&) = delete;
  RunWatcher& operator=(const RunWatcher&) = delete;

  // To be called before the Job is created, so that nothing of it is missed. `check` may be empty.
  // `outlasts_cluster`: who waits for it has a time limit and can wait; a cluster that is away for
  // long has not lost it.
  // `expected_pod`: the uid of the pod that has begun the command, of a run that is not new. The
  // next AskForPods() tells what has become of it; another one is never the run's.
  std::unique_ptr<Tracked> Track(const RunId& run_id, PodCheck check, bool outlasts_cluster,
                                 std::string expected_pod = {});
  // Asks the cluster for the run's pods, as if the watch had told of each; after that a Job that
  // has ended without one is the run's end: the watches tell of Jobs and pods in any order. So is
  // it that the pod which was expected is gone, or that there is another one.
  // `check`: see PodCheck; empty where Track was given one.
  Result<void> AskForPods(const RunId& run_id, const PodCheck& check,
                          const run::Patience& patience);

  // Waits until both watches are open. The error is the last attempt's.
  Result<void> WaitUntilFollowing(const run::Patience& patience);

  // Whether the watch is open and has told of the run's Job, or of a pod of it, that is not gone.
  // What is new may not have been told of yet.
  bool Shows(const RunId& run_id, const ObjectKind& kind);
  // After Shows: waits until the cluster has told that the Job, or every pod, of this run is gone.
  // False: not within the patience, or the watch is not open, so that nothing can be told.
  bool WaitUntilGone(const RunId& run_id, const ObjectKind& kind, const run::Patience& patience);
  // Whether the cluster has told of the run's Job, or of a pod of it, and that it and all others
  // are gone.
  bool SawGo(const RunId& run_id, const ObjectKind& kind);
  // Whether the cluster has told of a pod of the run that is neither gone nor has run its course.
  bool HasLivePods(const RunId& run_id);
  // The same, and the cluster is asked where no watch would have told.
  Result<bool> MayHaveLivePods(const RunId& run_id, const run::Patience& patience);
  // Waits until there is none. False: the patience ended first.
  bool WaitUntilEnded(const RunId& run_id, const run::Patience& patience);
  // As if the watch had told of it: for one that was there before its run was tracked.
  void LookAtJob(const Json& job);

 private:
  struct Seen {
    std::uint64_t list = 0;  // the one in which it was last seen
    bool ended = false;      // of a pod
  };
  struct Objects {
    std::map<std::string, Seen> uids;
  };
  struct Kind {
    std::map<std::string, Objects> by_run;
    std::uint64_t list = 0;      // counts the lists
    std::set<std::string> gone;  // runs whose last object was seen to go
    void RememberGone(const std::string& run);
  };
  struct Shared {
    Kind jobs;
    Kind pods;
    std::map<std::string, std::shared_ptr<Tracked::State>> tracked;
    [[nodiscard]] bool HasLivePods(const RunId& run_id) const;
  };

  Watch::Handlers HandlersOf(Kind Shared::*kind);
  void OnObject(Kind Shared::*kind, const Json& object);
  void OnGone(Kind Shared::*kind, const Json& object);
  void OnListEnd(Kind Shared::*kind);
  void Settle(const RunId& run_id);
  void OnSilence(std::chrono::milliseconds silent, const Error& error);
  static void OnPod(Tracked::State& state, const Json& pod);
  static void SettleExpected(Tracked::State& state);
  static void OnJob(Tracked::State& state, const Json& job);
  static void OnPodGone(Tracked::State& state, const std::string& uid);
  static void OnJobGone(Tracked::State& state, const std::string& uid);

  ClusterApi& api_;
  const KubernetesSettings& settings_;
  Guarded<Shared> shared_;
  std::condition_variable_any changed_;
  Watch jobs_;  // last: their threads use the others
  Watch pods_;
};

// Waits until the run's container has started: its pod's name. Nothing where it has ended without,
// or the token is stopped.
std::optional<std::string> AwaitStart(RunWatcher::Tracked& tracked, const std::stop_token& stop);

}  // namespace tidewaiter::kubernetes
