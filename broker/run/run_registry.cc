#include "broker/run/run_registry.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <set>
#include <utility>

#include "base/guarded.h"
#include "base/printable.h"
#include "base/sized_thread.h"
#include "broker/run/active_run.h"
#include "broker/run/adoption.h"
#include "broker/run/detached_runs.h"
#include "broker/run/environment.h"
#include "broker/run/reaper.h"
#include "broker/run/slots.h"
#include "broker/run/supervisor.h"

namespace tidewaiter::run {
namespace {

constexpr std::size_t kRunStackBytes = std::size_t{256} * 1024;

bool MaySee(const Viewer& viewer, const std::string& principal) {
  return viewer.operate || viewer.principal == principal;
}

Error NotFound(const RunId& run_id) {
  return Fail(ErrorCode::kNotFound, "find run " + Quoted(run_id.value()) + ": no such run",
              "RUN_NOT_FOUND");
}

Error NoCapacity(const std::string& cause) {
  return Fail(ErrorCode::kResourceExhausted, "launch the run: " + cause, "NO_CAPACITY");
}

}  // namespace

class RunRegistry::Impl {
 public:
  explicit Impl(Environment environment)
      : environment_(Told(std::move(environment))),
        slots_(environment_.settings.max_runs),
        detached_(environment_),
        reaper_(environment_, {.is_active = [this](const RunId& id) { return Find(id) != nullptr; },
                               .any_begun = [this] { return state_.Lock()->any_begun; }}) {}

  ~Impl() { Shutdown(Deadline::After(Deadline::Clock::duration::zero())); }

  Result<Detached> LaunchDetached(RunRequest request) {
    const RunId run_id(RandomId());
    TW_ASSIGN(DetachedRuns::Begun begun,
              detached_.Begin(run_id, request.caller, request.spec.idempotency_key,
                              std::move(request.observer)));
    if (!begun.is_new) return Detached{.run = std::move(begun.run), .handle = nullptr};
    request.observer = begun.run;
    request.detached = true;
    auto handle = Launch(std::move(request), run_id);
    if (!handle) {
      detached_.Forget(run_id);
      return handle.error();
    }
    return Detached{.run = std::move(begun.run),
                    .handle = std::make_shared<KeepsGoing>(*std::move(handle))};
  }

  Result<std::shared_ptr<DetachedRun>> FindDetached(const RunId& run_id, const Viewer& viewer) {
    return detached_.Find(run_id, viewer);
  }

  Result<std::shared_ptr<RunHandle>> Launch(RunRequest request, RunId run_id = RunId(RandomId())) {
    const std::size_t places =
        std::size_t{environment_.settings.max_runs} + std::size_t{environment_.settings.max_queued};
    // Each of them keeps a directory and an entry in memory.
    if (reaper_.Count() >= places) return NoCapacity("too many removals are overdue");
    auto state = state_.Lock();
    if (state->closed) {
      return Fail(ErrorCode::kUnavailable, "launch the run: the broker is shutting down",
                  "SHUTTING_DOWN");
    }
    if (state->runs.size() >= places) return NoCapacity("every slot and the queue are taken");
    if (RunsOf(*state, request.caller.principal) >= environment_.settings.max_runs_per_principal) {
      return NoCapacity(Quoted(request.caller.principal) +
                        " has as many runs as one principal may");
    }
    auto run = std::make_shared<ActiveRun>(std::move(run_id), request.caller, *environment_.audit,
                                           request.detached);
    // The thread cannot end its run before this function has put it into the table: that takes the
    // lock.
    auto thread = SizedThread::Start(
        kRunStackBytes, run->stop_source(),
        [this, run, request = std::move(request)](const std::stop_token&) mutable {
          const bool detached = request.detached;
          const bool kept = Supervise(environment_, slots_, reaper_, *run, std::move(request));
          if (detached && !kept) detached_.Forget(run->run_id());
          Leave(run->run_id());
        });
    if (!thread) return NoCapacity(thread.error().message);
    state->runs.emplace(run->run_id(), Entry{.run = run, .thread = *std::move(thread)});
    state->any_begun = true;
    return std::shared_ptr<RunHandle>(std::move(run));
  }

  std::vector<RunInfo> List(const Viewer& viewer) {
    const auto runs = Runs();
    // Asked second: a run that is just being handed over is in both, and overdue already.
    std::vector<RunInfo> infos = reaper_.List();
    std::set<RunId> overdue;
    for (const RunInfo& info : infos) overdue.insert(info.run_id);
    for (const auto& run : runs) {
      auto info = run->Info();
      if (info && !overdue.contains(info->run_id)) infos.push_back(*std::move(info));
    }
    std::erase_if(infos, [&](const RunInfo& info) { return !MaySee(viewer, info.principal); });
    std::stable_sort(infos.begin(), infos.end(), [](const RunInfo& a, const RunInfo& b) {
      return a.admitted_at < b.admitted_at;
    });
    return infos;
  }

  Result<RunInfo> Get(const RunId& run_id, const Viewer& viewer) {
    for (RunInfo& info : List(viewer)) {
      if (info.run_id == run_id) return std::move(info);
    }
    return NotFound(run_id);
  }

  Result<void> Cancel(const RunId& run_id, const Viewer& viewer, const Caller& caller) {
    TW_TRY(Get(run_id, viewer));
    const std::shared_ptr<ActiveRun> run = Find(run_id);
    const StopCause cause{.kind = StopCause::Kind::kCancelled, .by = caller.principal};
    // One that is overdue has ended; so has one that ended since.
    if (run == nullptr || run->Stop(cause, caller)) return Ok();
    const auto first = run->stop_cause();
    if (run->detached() && first && first->kind == StopCause::Kind::kShutdown) {
      return Fail(ErrorCode::kUnavailable,
                  "cancel run " + Quoted(run_id.value()) +
                      ": the broker is shutting down and leaves it to the next one",
                  "SHUTTING_DOWN");
    }
    return Ok();
  }

  Counts Count() {
    Counts counts;
    for (const auto& run : Runs()) {
      ++(run->state() == RunState::kQueued ? counts.queued : counts.active);
    }
    counts.overdue = reaper_.Count();
    counts.strays = reaper_.CountStrays();
    counts.comparison_fails = reaper_.CannotCompare();
    counts.kept_overdue = detached_.CountOverdue();
    return counts;
  }

  std::vector<KeptInfo> ListKept() { return detached_.ListKept(); }

  Result<void> RecoverLeftovers() {
    // First: what the other has moved away is told of only below.
    TW_TRY(detached_.RecoverKept());
    TW_ASSIGN(RunJournal::Found found, environment_.journal->Load());
    ExpectLate(found.runs);
    for (auto& [entry, result] : found.runs) {
      if (!entry.detachment || entry.detachment->launch || result) continue;
      // It has not run, and its key is free: the caller may ask again.
      entry.detachment->idempotency_key.clear();
      static_cast<void>(environment_.journal->Update(entry));
    }
    detached_.RecoverUnfinished(found.runs);
    std::erase_if(found.runs, [this](const auto& run) { return !run.result && Adopt(run.entry); });
    reaper_.RecoverLeftovers(std::move(found));
    return Ok();
  }

  Ended Shutdown(Deadline drain) {
    state_.Lock()->closed = true;
    for (const auto& run : Runs()) {
      if (run->detached()) run->LeaveOnceStarted();
    }
    // What has no slot yet would only begin now.
    std::size_t stopped = StopAll([](ActiveRun& run) { return run.state() == RunState::kQueued; });
    if (!AwaitEmpty(drain)) {
      stopped += StopAll([](ActiveRun&) { return true; });
      AwaitEmpty(Deadline::Never());
    }
    return {.stopped = stopped, .left = state_.Lock()->left.size()};
  }

 private:
  struct Entry {
    std::shared_ptr<ActiveRun> run;
    SizedThread thread;
  };
  struct State {
    std::map<RunId, Entry> runs;
    bool closed = false;
    bool any_begun = false;  // a run that is or was here
    // What runs on for the next broker: nobody here is to touch it, or to take it for ended.
    std::map<RunId, std::shared_ptr<ActiveRun>> left;
    // The thread that left last: the next one, or the destructor, joins it.
    SizedThread last_thread;
  };

  // The former broker may have been killed amid a create, which the engine goes on with. When that
  // was is in the entry once the reaper has written it: else a broker that is killed again and
  // again would never be done waiting.
  void ExpectLate(std::vector<RunJournal::Found::Unfinished>& runs) {
    const auto now = run::Launch::Now();
    for (auto& [entry, result] : runs) {
      const auto backend = environment_.backends.find(entry.backend);
      // By the image, without which nothing is asked for; a cluster tells no id of it.
      const bool asked = !entry.resolved.image_id.empty() || !entry.resolved.digest.empty();
      if (!asked || backend == environment_.backends.end()) continue;
      // All that Create asks for has been answered before a launch; a pod is not Create's.
      const bool launched = entry.detachment && entry.detachment->launch;
      for (const Resource& resource : entry.resources) {
        if (!resource.id.empty() && !StandsForMany(resource.kind)) continue;
        if (launched && resource.kind != Resource::Kind::kPod) continue;
        if (!entry.left_at) {
          entry.left_at = now;
          // The reaper, which writes it otherwise, has announced this one before.
          if (entry.finished_recorded) static_cast<void>(environment_.journal->Update(entry));
        }
        backend->second->ExpectLate(resource, entry.left_at->Elapsed(now));
      }
    }
  }

  // Goes on with a run whose container a former broker has started. False: it is not to be gone on
  // with, and the reaper's.
  bool Adopt(const JournalEntry& entry) {
    const auto backend = environment_.backends.find(entry.backend);
    if (!entry.detachment || !entry.detachment->launch || entry.finished_recorded ||
        entry.broker_id != environment_.broker_id || backend == environment_.backends.end()) {
      return false;
    }
    auto run = std::make_shared<ActiveRun>(entry.run_id, entry.caller, *environment_.audit, true);
    environment_.files->Kept(
        entry.run_id, entry.caller.principal,
        static_cast<std::uint64_t>(entry.detachment->log_bytes + entry.detachment->output_bytes));
    run->MarkAdopted(entry.image, entry.detachment->tenant, entry.detachment->launch->at);
    auto state = state_.Lock();
    auto thread = SizedThread::Start(
        kRunStackBytes, run->stop_source(),
        [this, run, entry, &engine = *backend->second,
         watched = detached_.Get(entry.run_id)](const std::stop_token&) {
          {
            // It runs, whether there is a slot for it or not; what comes later waits for that.
            const auto place = slots_.Enter();
            Adoption(environment_, engine, entry, *run, *watched).Supervise(reaper_);
          }
          Leave(run->run_id());
        });
    if (!thread) {
      // Better without a broker until the next start than taken for a leftover.
      if (environment_.log != nullptr) {
        environment_.log->Write(LogLevel::kError, "adopt run " + Quoted(entry.run_id.value()) +
                                                      ": " + thread.error().message);
      }
      state->left.emplace(entry.run_id, std::move(run));
      return true;
    }
    state->runs.emplace(entry.run_id, Entry{.run = run, .thread = *std::move(thread)});
    state->any_begun = true;
    return true;
  }

  // The last thing that a run's thread does here.
  void Leave(const RunId& run_id) {
    SizedThread previous;
    auto state = state_.Lock();
    auto entry = state->runs.extract(run_id);
    const std::shared_ptr<ActiveRun>& run = entry.mapped().run;
    if (run->left()) state->left.emplace(run_id, run);
    previous = std::exchange(state->last_thread, std::move(entry.mapped().thread));
    changed_.notify_all();  // under the lock: afterwards this object may be gone
    // `state` is released first, then `previous` joined: declared in this order.
  }

  std::vector<std::shared_ptr<ActiveRun>> Runs() {
    std::vector<std::shared_ptr<ActiveRun>> runs;
    auto state = state_.Lock();
    runs.reserve(state->runs.size());
    for (const auto& [run_id, entry] : state->runs) runs.push_back(entry.run);
    for (const auto& [run_id, run] : state->left) runs.push_back(run);
    return runs;
  }

  // Waiting, running or overdue.
  std::size_t RunsOf(const State& state, const std::string& principal) {
    const auto active = std::count_if(state.runs.begin(), state.runs.end(), [&](const auto& entry) {
      return entry.second.run->caller().principal == principal;
    });
    return static_cast<std::size_t>(active) + reaper_.CountOf(principal);
  }

  std::shared_ptr<ActiveRun> Find(const RunId& run_id) {
    auto state = state_.Lock();
    const auto found = state->runs.find(run_id);
    if (found != state->runs.end()) return found->second.run;
    const auto left = state->left.find(run_id);
    return left == state->left.end() ? nullptr : left->second;
  }

  template <typename Which>
  std::size_t StopAll(Which which) {
    std::size_t stopped = 0;
    for (const auto& run : Runs()) {
      if (which(*run) && run->Stop({.kind = StopCause::Kind::kShutdown, .by = {}}, run->caller())) {
        ++stopped;
      }
    }
    return stopped;
  }

  bool AwaitEmpty(Deadline deadline) {
    auto state = state_.Lock();
    return state.Wait(changed_, {}, deadline, [&] { return state->runs.empty(); });
  }

  // Of a detached run: it goes on without its client.
  class KeepsGoing final : public RunHandle {
   public:
    explicit KeepsGoing(std::shared_ptr<RunHandle> run) : run_(std::move(run)) {}
    void RequestStop(StopCause cause) override {
      if (cause.kind != StopCause::Kind::kClientGone) run_->RequestStop(std::move(cause));
    }

   private:
    const std::shared_ptr<RunHandle> run_;
  };

  [[nodiscard]] Environment Told(Environment environment) {
    environment.on_kept = [this](const KeptRun& kept) { detached_.Kept(kept); };
    environment.on_attempted = [this](const RunId& run_id, const Outcome& outcome,
                                      const Receipt& receipt) {
      const auto run = detached_.Get(run_id);
      if (run == nullptr) return;
      run->OnOutcome(outcome);
      run->OnReceipt(receipt);
      run->OnDone();
    };
    environment.on_forgotten = [this](const RunId& run_id) { detached_.Forget(run_id); };
    return environment;
  }

  const Environment environment_;
  Slots slots_;
  Guarded<State> state_;
  std::condition_variable_any changed_;
  DetachedRuns detached_;
  Reaper reaper_;  // last: it asks which runs are active, and ends first
};

RunRegistry::RunRegistry(Environment environment)
    : impl_(std::make_unique<Impl>(std::move(environment))) {}

RunRegistry::~RunRegistry() = default;

Result<std::shared_ptr<RunHandle>> RunRegistry::Launch(RunRequest request) {
  return impl_->Launch(std::move(request));
}

Result<RunRegistry::Detached> RunRegistry::LaunchDetached(RunRequest request) {
  return impl_->LaunchDetached(std::move(request));
}

Result<std::shared_ptr<DetachedRun>> RunRegistry::FindDetached(const RunId& run_id,
                                                               const Viewer& viewer) const {
  return impl_->FindDetached(run_id, viewer);
}

std::vector<RunInfo> RunRegistry::List(const Viewer& viewer) const {
  return impl_->List(viewer);
}

Result<RunInfo> RunRegistry::Get(const RunId& run_id, const Viewer& viewer) const {
  return impl_->Get(run_id, viewer);
}

Result<void> RunRegistry::Cancel(const RunId& run_id, const Viewer& viewer, const Caller& caller) {
  return impl_->Cancel(run_id, viewer, caller);
}

RunRegistry::Counts RunRegistry::Count() const {
  return impl_->Count();
}

std::vector<KeptInfo> RunRegistry::ListKept() const {
  return impl_->ListKept();
}

Result<void> RunRegistry::RecoverLeftovers() {
  return impl_->RecoverLeftovers();
}

RunRegistry::Ended RunRegistry::Shutdown(Deadline drain) {
  return impl_->Shutdown(drain);
}

}  // namespace tidewaiter::run
