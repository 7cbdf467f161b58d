#include "broker/docker/exit_watcher.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "broker/docker/labels.h"
#include "broker/io/line_splitter.h"
#include "broker/run/pause.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kCheckAgain{50};
// From the end of a container's streams to the event that tells of its own.
constexpr milliseconds kEventDelay{1000};
// An event repeats the container's labels (policy: 16 KiB; image: 64 KiB), escaped: up to
// twice and six times as long.
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

ExitWatcher::Watch::Watch(ExitWatcher& owner, const Watched& watched)
    : owner_(owner),
      container_id_(watched.container_id),
      state_(std::make_shared<State>(watched)) {}

ExitWatcher::Watch::~Watch() {
  owner_.shared_.Lock()->watches.erase(container_id_);
}

void ExitWatcher::Watch::NotRunning() {
  owner_.CheckAt(container_id_, Clock::now());
}

void ExitWatcher::Watch::StreamsEnded() {
  bool following = false;
  {
    auto shared = owner_.shared_.Lock();
    if (state_->streams_ended) return;
    state_->streams_ended = true;
    state_->streams_ended_at = Clock::now();
    if (shared->broke_off && Clock::now() - *shared->broke_off < kEventDelay) state_->CutOff();
    following = shared->following;
  }
  owner_.CheckAt(container_id_, Clock::now() + (following ? kEventDelay : milliseconds(0)));
}

bool ExitWatcher::Watch::StreamsCutOff() {
  const auto shared = owner_.shared_.Lock();
  return state_->cut_off;
}

ExitWatcher::ExitWatcher(EngineApi& api, const DockerSettings& settings,
                         std::function<void()> on_lost)
    : api_(api),
      settings_(settings),
      on_lost_(std::move(on_lost)),
      follower_([this](const std::stop_token& stop) { FollowLoop(stop); }),
      checker_([this](const std::stop_token& stop) { CheckLoop(stop); }) {}

ExitWatcher::~ExitWatcher() {
  follower_.request_stop();
  checker_.request_stop();
}

std::unique_ptr<ExitWatcher::Watch> ExitWatcher::Add(const Watched& watched) {
  auto watch = std::make_unique<Watch>(*this, watched);
  {
    auto shared = shared_.Lock();
    // With nothing to watch for, nobody listened for signs of life.
    if (shared->watches.empty()) shared->asked = Clock::now();
    shared->watches.insert_or_assign(watched.container_id, watch->state_);
  }
  changed_.notify_all();
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
    const auto began = Clock::now();
    const Error error = FollowOnce(stop);
    bool was_following = false;
    // Before anybody can see that the stream is gone: see Create.
    on_lost_();
    {
      auto shared = shared_.Lock();
      was_following = std::exchange(shared->following, false);
      shared->last_error = error;
    }
    GiveUpWhereSilent(error);
    // A stream that lasted has earned a quick retry; one that breaks at once has not.
    if (was_following && Clock::now() - began > settings_.event_retry_max) {
      wait = kFirstRetry;
    }
    static_cast<void>(run::Pause(wait, {.stop = stop, .deadline = Deadline::Never()}));
    wait = std::min(wait * 2, settings_.event_retry_max);
  }
}

// Why the stream ended.
Error ExitWatcher::FollowOnce(const std::stop_token& stop) {
  const std::string label = std::string(kBrokerLabel) + "=" + settings_.broker_id.value();
  std::stop_source stream;
  std::string since;
  {
    auto shared = shared_.Lock();
    shared->stream = stream;
    since = shared->since;
  }
  const std::stop_callback end_with_us(stop, [&stream] { stream.request_stop(); });
  io::LineSplitter lines(kMaxEventLine);
  std::size_t oversized = 0;
  bool broken_off = true;  // by the engine
  const Result<void> ended = api_.StreamEvents(
      label, since, {.stop = stream.get_token(), .deadline = Deadline::Never()},
      [this] {
        {
          auto shared = shared_.Lock();
          shared->following = true;
          shared->asked = Clock::now();
          shared->last_error.reset();
        }
        CheckAll();
      },
      [&](std::string_view data) {
        {
          auto shared = shared_.Lock();
          shared->asked = Clock::now();
          shared->alive = Clock::now();
        }
        if (!lines.Feed(data, [this](std::string_view line) { return OnLine(line); })) {
          broken_off = false;
          return false;
        }
        if (lines.oversized() != std::exchange(oversized, lines.oversized())) CheckAll();
        return true;
      });
  if (broken_off && !stream.stop_requested()) OnBrokenOff();
  if (!ended && ended.error().code != ErrorCode::kCancelled) return ended.error();
  return Fail(ErrorCode::kUnavailable,
              ended ? "follow the engine's events: the stream ended"
                    : "follow the engine's events: it no longer answers",
              "ENGINE_UNAVAILABLE");
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
        watch.died = true;
        if (!watch.forgeable) watch.died_with = event.exit_code;
        shared.to_check[event.container_id] = Clock::now();
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
      if (!watch->exited.Peek()) shared->to_check[id] = Clock::now();
    }
  }
  changed_.notify_all();
}

// An engine that ends takes its events' stream and those of the containers with it, in any order.
// It may be back before it can be asked.
void ExitWatcher::OnBrokenOff() {
  auto shared = shared_.Lock();
  const Clock::time_point now = Clock::now();
  shared->broke_off = now;
  for (const auto& [id, watch] : shared->watches) {
    if (watch->streams_ended && now - watch->streams_ended_at < kEventDelay) watch->CutOff();
  }
}

void ExitWatcher::CheckAt(const std::string& id, Clock::time_point when) {
  {
    auto shared = shared_.Lock();
    const auto [entry, added] = shared->to_check.try_emplace(id, when);
    if (!added) entry->second = std::min(entry->second, when);
  }
  changed_.notify_all();
}

void ExitWatcher::CheckLoop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    for (const std::string& id : TakeDue()) {
      if (stop.stop_requested()) return;
      if (const auto again = CheckOne(id, stop)) CheckAt(id, Clock::now() + *again);
      PingWhereSilent(stop);  // a container that is slow to ask about must not put it off
    }
    PingWhereSilent(stop);
    auto shared = shared_.Lock();
    const Clock::time_point wake = NextWork(*shared);
    shared.Wait(changed_, stop, Deadline::At(wake), [&] { return NextWork(*shared) < wake; });
  }
}

std::vector<std::string> ExitWatcher::TakeDue() {
  std::vector<std::string> due;
  const Clock::time_point now = Clock::now();
  auto shared = shared_.Lock();
  std::erase_if(shared->to_check, [&](const auto& entry) {
    if (entry.second > now) return false;
    due.push_back(entry.first);
    return true;
  });
  return due;
}

ExitWatcher::Clock::time_point ExitWatcher::NextWork(const Shared& shared) const {
  Clock::time_point next = Clock::time_point::max();
  if (shared.following && !shared.watches.empty()) next = shared.asked + settings_.ping_interval;
  for (const auto& [id, when] : shared.to_check) next = std::min(next, when);
  return next;
}

// A stream on which nothing comes looks the same whether nothing happens or the engine hangs.
void ExitWatcher::PingWhereSilent(const std::stop_token& stop) {
  std::stop_source stream;
  {
    auto shared = shared_.Lock();
    const bool silent = shared->following && !shared->watches.empty() &&
                        Clock::now() >= shared->asked + settings_.ping_interval;
    if (!silent) return;
    stream = shared->stream;
  }
  const Result<void> alive = api_.Ping({.stop = stop, .deadline = Deadline::Never()});
  if (!alive) stream.request_stop();
  auto shared = shared_.Lock();
  shared->asked = Clock::now();
  if (alive) shared->alive = Clock::now();
}

std::optional<milliseconds> ExitWatcher::CheckOne(const std::string& id,
                                                  const std::stop_token& stop) {
  StatePtr watch;
  {
    auto shared = shared_.Lock();
    const auto found = shared->watches.find(id);
    if (found == shared->watches.end() || found->second->exited.Peek()) return std::nullopt;
    watch = found->second;
  }
  const run::Patience patience{.stop = stop, .deadline = Deadline::After(settings_.check_timeout)};
  const Result<std::optional<Json>> container = api_.InspectContainer(id, patience);
  auto shared = shared_.Lock();
  if (!container) {
    // Silent about this one (see DockerContainer::EndIsWithheld), or about everything.
    if (container.error().code == ErrorCode::kDeadlineExceeded) return settings_.ping_interval;
    if (container.error().code == ErrorCode::kUnavailable) {
      if (watch->streams_ended && !watch->answered_since) watch->CutOff();
      // Where the stream broke too, its return asks again.
      return shared->following ? std::optional(kCheckAgain) : std::nullopt;
    }
    // Any other error is this container's own, until it has lasted.
    if (!watch->failing_since) watch->failing_since = Clock::now();
    const auto failing = Clock::now() - *watch->failing_since;
    if (watch->outlasts_engine || failing < settings_.event_loss_limit) {
      return settings_.event_retry_max;
    }
    run::ContainerExit lost;
    lost.lost = container.error();
    watch->exited.Set(std::move(lost));
    return std::nullopt;
  }
  watch->failing_since.reset();
  watch->answered_since = watch->streams_ended;
  shared->alive = Clock::now();
  if (!*container) {
    if (watch->died_with) {
      watch->exited.Set(Ended(*watch->died_with, watch->out_of_memory));
    } else {
      watch->exited.Set(Lost("watch container: the engine no longer knows it", "CONTAINER_LOST"));
    }
    return std::nullopt;
  }
  const Json& state = At(**container, {"State"});
  const std::string status = TextAt(state, "Status");
  if (status == "exited" || status == "dead") {
    const std::int64_t code = AsInt(At(state, {"ExitCode"})).value_or(-1);
    const bool oom = AsBool(At(state, {"OOMKilled"})).value_or(false) || watch->out_of_memory;
    // containerd tells of the kill and of its cause by two ways; the cause may be the slower one.
    if (code == kKilled && !oom && !std::exchange(watch->asked_for_cause, true)) {
      return kCheckAgain;
    }
    if (code < 0 || code > kMaxExitCode) {
      watch->exited.Set(Lost("watch container: the engine tells no exit code from 0 to 255",
                             "ENGINE_INVALID_ANSWER"));
    } else {
      watch->exited.Set(Ended(static_cast<std::int32_t>(code), oom));
    }
    return std::nullopt;
  }
  if (watch->died) {
    if (--watch->checks_left > 0) return kCheckAgain;
    watch->exited.Set(Lost(
        "watch container: the engine said that it died, and says that it is " + Quoted(status, 40),
        "CONTAINER_LOST"));
    return std::nullopt;
  }
  // A program may close its output and run on; but a missed event would show just so.
  return watch->streams_ended ? std::optional(settings_.ping_interval) : std::nullopt;
}

void ExitWatcher::GiveUpWhereSilent(const Error& error) {
  auto shared = shared_.Lock();
  for (const auto& [id, watch] : shared->watches) {
    const Clock::time_point alive = std::max(shared->alive, watch->since);
    if (watch->outlasts_engine || Clock::now() - alive < settings_.event_loss_limit) continue;
    run::ContainerExit lost;
    lost.lost = error;
    watch->exited.Set(std::move(lost));
  }
}

}  // namespace tidewaiter::docker
