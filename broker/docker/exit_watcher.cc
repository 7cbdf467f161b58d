#include "broker/docker/exit_watcher.h"

#include <algorithm>
#include <utility>

#include "broker/docker/labels.h"
#include "broker/docker/line_splitter.h"
#include "broker/docker/pause.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kCheckAgain{50};
// An event repeats the container's labels (policy: 64 of 4 KiB; image: 64 KiB), escaped.
constexpr std::size_t kMaxEventLine = std::size_t{4} << 20U;
constexpr std::int32_t kKilled = 128 + 9;

run::ContainerExit Lost(std::string message, std::string_view reason) {
  run::ContainerExit exit;
  exit.lost = Fail(ErrorCode::kUnavailable, std::move(message), reason);
  return exit;
}

run::ContainerExit Ended(std::int32_t exit_code, bool oom_killed) {
  run::ContainerExit exit;
  exit.exit_code = exit_code;
  exit.oom_killed = oom_killed;
  return exit;
}

}  // namespace

ExitWatcher::Watch::Watch(ExitWatcher& owner, std::string container_id, bool forgeable)
    : owner_(owner),
      container_id_(std::move(container_id)),
      state_(std::make_shared<State>(forgeable)) {}

ExitWatcher::Watch::~Watch() {
  owner_.shared_.Lock()->watches.erase(container_id_);
}

ExitWatcher::ExitWatcher(EngineApi& api, const DockerSettings& settings)
    : api_(api),
      settings_(settings),
      follower_([this](const std::stop_token& stop) { FollowLoop(stop); }),
      checker_([this](const std::stop_token& stop) { CheckLoop(stop); }) {}

ExitWatcher::~ExitWatcher() {
  follower_.request_stop();
  checker_.request_stop();
}

std::unique_ptr<ExitWatcher::Watch> ExitWatcher::Add(std::string container_id, bool forgeable) {
  auto watch = std::make_unique<Watch>(*this, container_id, forgeable);
  shared_.Lock()->watches.insert_or_assign(std::move(container_id), watch->state_);
  return watch;
}

Result<void> ExitWatcher::WaitUntilFollowing(const run::Patience& patience) {
  auto shared = shared_.Lock();
  const bool following = shared.Wait(changed_, patience.stop, patience.deadline,
                                     [&shared] { return shared->following; });
  if (following) return Ok();
  if (patience.stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, "wait for the engine's events: cancelled");
  }
  if (shared->last_error) return *shared->last_error;
  return Fail(ErrorCode::kDeadlineExceeded, "wait for the engine's events: no answer in time",
              "ENGINE_UNAVAILABLE");
}

void ExitWatcher::FollowLoop(const std::stop_token& stop) {
  milliseconds wait = kFirstRetry;
  while (!stop.stop_requested()) {
    const auto began = Deadline::Clock::now();
    const Result<void> ended = FollowOnce(stop);
    const Error error =
        ended ? Fail(ErrorCode::kUnavailable, "follow the engine's events: the stream ended",
                     "ENGINE_UNAVAILABLE")
              : ended.error();
    bool was_following = false;
    {
      auto shared = shared_.Lock();
      was_following = std::exchange(shared->following, false);
      if (was_following) shared->silent_since = Deadline::Clock::now();
      shared->last_error = error;
    }
    GiveUpWhereSilent(error);
    // A stream that lasted has earned a quick retry; one that breaks at once has not.
    if (was_following && Deadline::Clock::now() - began > settings_.event_retry_max) {
      wait = kFirstRetry;
    }
    static_cast<void>(Pause(wait, {.stop = stop, .deadline = Deadline::Never()}));
    wait = std::min(wait * 2, settings_.event_retry_max);
  }
}

Result<void> ExitWatcher::FollowOnce(const std::stop_token& stop) {
  const std::string label = std::string(kBrokerLabel) + "=" + settings_.broker_id.value();
  const std::string since = shared_.Lock()->since;
  LineSplitter lines(kMaxEventLine);
  std::size_t oversized = 0;
  return api_.StreamEvents(
      label, since, {.stop = stop, .deadline = Deadline::Never()},
      [this] {
        {
          auto shared = shared_.Lock();
          shared->following = true;
          shared->last_error.reset();
        }
        CheckAll();
      },
      [&](std::string_view data) {
        if (!lines.Feed(data, [this](std::string_view line) { return OnLine(line); })) return false;
        if (lines.oversized() != std::exchange(oversized, lines.oversized())) CheckAll();
        return true;
      });
}

// On the loop's thread. False: this is no event stream, begin anew.
bool ExitWatcher::OnLine(std::string_view line) {
  const Result<EngineEvent> event = ParseEngineEvent(line);
  auto shared = shared_.Lock();
  if (!event) {
    shared->since.clear();  // else the same line would come back for ever
    return false;
  }
  if (!event->since.empty()) shared->since = event->since;
  OnEvent(*shared, *event);
  changed_.notify_all();
  return true;
}

void ExitWatcher::OnEvent(Shared& shared, const EngineEvent& event) {
  const auto found = shared.watches.find(event.container_id);
  if (found == shared.watches.end()) return;
  Watch::State& watch = *found->second;
  switch (event.kind) {
    case EngineEvent::Kind::kOutOfMemory: watch.out_of_memory = true; break;
    case EngineEvent::Kind::kDied: {
      const bool certain = event.exit_code && !watch.forgeable &&
                           (*event.exit_code != kKilled || watch.out_of_memory);
      if (certain) {
        watch.exited.Set(Ended(*event.exit_code, watch.out_of_memory));
      } else {  // killed: by whom? Only the engine's state says whether for want of memory
        if (!watch.forgeable) watch.died_with = event.exit_code;
        shared.to_check.push_back(event.container_id);
      }
      break;
    }
    case EngineEvent::Kind::kDestroyed:
      if (watch.died_with) {
        watch.exited.Set(Ended(*watch.died_with, watch.out_of_memory));
      } else {
        watch.exited.Set(
            Lost("watch container: it was removed behind the broker's back", "CONTAINER_LOST"));
      }
      break;
    case EngineEvent::Kind::kOther: break;
  }
}

void ExitWatcher::CheckAll() {
  {
    auto shared = shared_.Lock();
    for (const auto& [id, watch] : shared->watches) {
      if (!watch->exited.Peek()) shared->to_check.push_back(id);
    }
  }
  changed_.notify_all();
}

void ExitWatcher::CheckLoop(const std::stop_token& stop) {
  const run::Patience patience{.stop = stop, .deadline = Deadline::Never()};
  std::deque<std::string> batch;
  while (!stop.stop_requested()) {
    {
      auto shared = shared_.Lock();
      shared.Wait(changed_, stop, Deadline::Never(),
                  [&shared] { return !shared->to_check.empty(); });
      batch = std::exchange(shared->to_check, {});
    }
    std::deque<std::string> again;
    for (const std::string& id : batch) {
      if (stop.stop_requested()) return;
      if (!CheckOne(id, patience)) again.push_back(id);
    }
    if (again.empty()) continue;
    static_cast<void>(Pause(kCheckAgain, patience));
    auto shared = shared_.Lock();
    shared->to_check.insert(shared->to_check.end(), again.begin(), again.end());
  }
}

bool ExitWatcher::CheckOne(const std::string& id, const run::Patience& patience) {
  StatePtr watch;
  {
    auto shared = shared_.Lock();
    const auto found = shared->watches.find(id);
    if (found == shared->watches.end() || found->second->exited.Peek()) return true;
    watch = found->second;
  }
  const Result<std::optional<Json>> container = api_.InspectContainer(id, patience);
  auto shared = shared_.Lock();
  if (!container) {
    // Unreachable: where the stream broke too, its return asks again. Any other error is this
    // container's own.
    if (container.error().code == ErrorCode::kUnavailable) return !shared->following;
    if (--watch->checks_left > 0) return false;
    run::ContainerExit lost;
    lost.lost = container.error();
    watch->exited.Set(std::move(lost));
    return true;
  }
  if (!*container) {
    if (watch->died_with) {
      watch->exited.Set(Ended(*watch->died_with, watch->out_of_memory));
    } else {
      watch->exited.Set(Lost("watch container: the engine no longer knows it", "CONTAINER_LOST"));
    }
    return true;
  }
  const Json& state = At(**container, {"State"});
  const std::string status = TextAt(state, "Status");
  if (status == "exited" || status == "dead") {
    const std::int64_t code = AsInt(At(state, {"ExitCode"})).value_or(-1);
    const bool oom = AsBool(At(state, {"OOMKilled"})).value_or(false) || watch->out_of_memory;
    watch->exited.Set(Ended(static_cast<std::int32_t>(code), oom));
    return true;
  }
  // Not ended, and no event says that it has.
  return !watch->died_with || --watch->checks_left <= 0;
}

void ExitWatcher::GiveUpWhereSilent(const Error& error) {
  auto shared = shared_.Lock();
  if (Deadline::Clock::now() - shared->silent_since < settings_.event_loss_limit) return;
  for (const auto& [id, watch] : shared->watches) {
    run::ContainerExit lost;
    lost.lost = error;
    watch->exited.Set(std::move(lost));
  }
}

}  // namespace tidewaiter::docker
