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
      : environment_(std::move(environment)),
        slots_(environment_.settings.max_runs),
        reaper_(environment_, [this](const RunId& run_id) { return IsActive(run_id); }) {}

  ~Impl() { Shutdown(Deadline::After(Deadline::Clock::duration::zero())); }

  Result<std::shared_ptr<RunHandle>> Launch(RunRequest request) {
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
    auto run = std::make_shared<ActiveRun>(RunId(RandomId()), request.caller, *environment_.audit);
    // The thread cannot end its run before this function has put it into the table: that takes the
    // lock.
    auto thread = SizedThread::Start(
        kRunStackBytes, run->stop_source(),
        [this, run, request = std::move(request)](const std::stop_token&) mutable {
          Supervise(environment_, slots_, reaper_, *run, std::move(request));
          Leave(run->run_id());
        });
    if (!thread) return NoCapacity(thread.error().message);
    state->runs.emplace(run->run_id(), Entry{.run = run, .thread = *std::move(thread)});
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
    if (run) run->Stop(cause, caller);
    return Ok();
  }

  Counts Count() {
    Counts counts;
    for (const auto& run : Runs()) {
      ++(run->state() == RunState::kQueued ? counts.queued : counts.active);
    }
    counts.overdue = reaper_.Count();
    return counts;
  }

  Result<void> RecoverLeftovers() { return reaper_.RecoverLeftovers(); }

  std::size_t Shutdown(Deadline drain) {
    state_.Lock()->closed = true;
    // What has no slot yet would only begin now.
    std::size_t stopped = StopAll([](ActiveRun& run) { return run.state() == RunState::kQueued; });
    if (!AwaitEmpty(drain)) {
      stopped += StopAll([](ActiveRun&) { return true; });
      AwaitEmpty(Deadline::Never());
    }
    return stopped;
  }

 private:
  struct Entry {
    std::shared_ptr<ActiveRun> run;
    SizedThread thread;
  };
  struct State {
    std::map<RunId, Entry> runs;
    bool closed = false;
    // The thread that left last: the next one, or the destructor, joins it.
    SizedThread last_thread;
  };

  // The last thing that a run's thread does here.
  void Leave(const RunId& run_id) {
    SizedThread previous;
    auto state = state_.Lock();
    auto entry = state->runs.extract(run_id);
    previous = std::exchange(state->last_thread, std::move(entry.mapped().thread));
    changed_.notify_all();  // under the lock: afterwards this object may be gone
    // `state` is released first, then `previous` joined: declared in this order.
  }

  std::vector<std::shared_ptr<ActiveRun>> Runs() {
    std::vector<std::shared_ptr<ActiveRun>> runs;
    auto state = state_.Lock();
    runs.reserve(state->runs.size());
    for (const auto& [run_id, entry] : state->runs) runs.push_back(entry.run);
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
    return found == state->runs.end() ? nullptr : found->second.run;
  }

  bool IsActive(const RunId& run_id) { return Find(run_id) != nullptr; }

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

  const Environment environment_;
  Slots slots_;
  Guarded<State> state_;
  std::condition_variable_any changed_;
  Reaper reaper_;  // last: it asks which runs are active, and ends first
};

RunRegistry::RunRegistry(Environment environment)
    : impl_(std::make_unique<Impl>(std::move(environment))) {}

RunRegistry::~RunRegistry() = default;

Result<std::shared_ptr<RunHandle>> RunRegistry::Launch(RunRequest request) {
  return impl_->Launch(std::move(request));
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

Result<void> RunRegistry::RecoverLeftovers() {
  return impl_->RecoverLeftovers();
}

std::size_t RunRegistry::Shutdown(Deadline drain) {
  return impl_->Shutdown(drain);
}

}  // namespace tidewaiter::run
