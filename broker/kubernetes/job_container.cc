#include "broker/kubernetes/job_container.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "broker/io/url.h"
#include "broker/kubernetes/job_manifest.h"
#include "broker/kubernetes/log_follower.h"
#include "broker/kubernetes/pod_end.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = Deadline::Clock;

// A Job whose pod has not come after this is asked why not, and again.
constexpr seconds kPodDelay(5);
// What may pass by itself, as a volume that is not there yet.
constexpr seconds kConfigPatience(5);

// How long each hindrance is waited for, from when it is first seen until it is seen no more.
class HindranceClock {
 public:
  explicit HindranceClock(const KubernetesSettings& settings) : settings_(settings) {}

  // When waiting ends; never where nothing hinders.
  Deadline Note(const Hindrance& hindrance) {
    if (hindrance.kind != kind_) {
      kind_ = hindrance.kind;
      since_ = Clock::now();
      error_ = hindrance.error;
    }
    // Why a pull failed is told in between, and for a moment: the wait for the next one says less.
    if (hindrance.error.message.find("ImagePullBackOff") == std::string::npos) {
      error_ = hindrance.error;
    }
    if (kind_ == Hindrance::Kind::kNone) return Deadline::Never();
    if (hindrance.final) return Deadline::At(Clock::now());
    return Deadline::At(since_ + Limit());
  }

  // What hinders it, as it was told best.
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  [[nodiscard]] milliseconds Limit() const {
    switch (kind_) {
      case Hindrance::Kind::kUnschedulable: return settings_.schedule_timeout;
      case Hindrance::Kind::kImage: return settings_.pull_failure_timeout;
      case Hindrance::Kind::kConfig:
      case Hindrance::Kind::kNone: break;
    }
    return kConfigPatience;
  }

  const KubernetesSettings& settings_;
  Hindrance::Kind kind_ = Hindrance::Kind::kNone;
  Clock::time_point since_;
  Error error_;
};

}  // namespace

JobContainer::JobContainer(const Cluster& cluster, Job job,
                           std::unique_ptr<RunWatcher::Tracked> tracked)
    : cluster_(cluster), job_(std::move(job)), tracked_(std::move(tracked)) {}

Result<std::unique_ptr<run::Attachment>> JobContainer::Attach(run::OutputSink& sink,
                                                              bool with_stdin,
                                                              const run::Patience& /*patience*/) {
  auto stdin_to = with_stdin ? std::make_unique<StdinFeeder>(cluster_.api, *tracked_) : nullptr;
  return std::make_unique<LogFollower>(cluster_.api, *tracked_, sink, cluster_.steps,
                                       std::move(stdin_to), run::LogPosition());
}

std::unique_ptr<run::Attachment> JobContainer::FollowLog(const run::LogPosition& position,
                                                         run::OutputSink& sink) {
  return std::make_unique<LogFollower>(cluster_.api, *tracked_, sink, cluster_.steps, nullptr,
                                       position);
}

Result<void> JobContainer::Start(const run::Patience& patience) {
  TW_TRY(cluster_.api.Patch(kJobs, job_.name, StartPatch(), patience));
  HindranceClock clock(cluster_.settings);
  Deadline ask = Deadline::After(kPodDelay);
  std::uint64_t seen = 0;
  for (;;) {
    if (const auto exit = tracked_->exited().Peek()) {
      return exit->lost ? Result<void>(*exit->lost) : Ok();
    }
    if (tracked_->ended_without_pod()) {
      TW_TRY(cluster_.watcher.AskForPods(job_.run_id, {}, patience));
      continue;
    }
    const std::optional<PodView> pod = tracked_->pod();
    if (pod && HasStarted(*pod)) return Ok();
    const Hindrance hindrance = pod ? HindranceOf(*pod) : Hindrance();
    const Deadline until = clock.Note(hindrance);
    if (until.Passed()) return clock.error().Within("start job " + Quoted(job_.name));
    if (!pod && ask.Passed()) {
      TW_TRY(CheckEvents(patience));
      ask = Deadline::After(kPodDelay);
    }
    const Deadline look = pod ? until : until.Sooner(ask);
    static_cast<void>(tracked_->WaitForChange(
        seen, {.stop = patience.stop, .deadline = patience.deadline.Sooner(look)}));
    const std::string subject = "start job " + Quoted(job_.name);
    if (patience.stop.stop_requested()) return Fail(ErrorCode::kCancelled, subject + ": cancelled");
    if (patience.deadline.Passed()) {
      return Fail(ErrorCode::kDeadlineExceeded, subject + ": its container has not started in time",
                  "START_TIMEOUT");
    }
  }
}

std::optional<run::Resource> JobContainer::Runner() {
  const std::optional<PodView> pod = tracked_->pod();
  if (!pod || !HasStarted(*pod)) return std::nullopt;
  return run::Resource{.kind = run::Resource::Kind::kPod, .name = job_.name, .id = pod->uid};
}

// The controller says why it makes no pod by an event alone ("FailedCreate").
Result<void> JobContainer::CheckEvents(const run::Patience& patience) {
  std::string message;
  const std::string query =
      "fieldSelector=" + io::UrlEncode("involvedObject.uid=" + job_.uid + ",reason=FailedCreate");
  const auto listed = cluster_.api.List(
      kEvents, query, patience, [&](const Json& event) { message = TextAt(event, "message"); });
  // Events are told to help a person; the wait goes on without them.
  if (!listed || message.empty()) return Ok();
  const std::string text =
      "start job " + Quoted(job_.name) + ": the cluster makes no pod: " + Quoted(message, 400);
  if (message.find("exceeded quota") != std::string::npos) {
    return Fail(ErrorCode::kResourceExhausted, text, "QUOTA_EXCEEDED");
  }
  return Fail(ErrorCode::kFailedPrecondition, text, "POD_REFUSED");
}

Result<bool> JobContainer::Signal(int signal_number, const run::Patience& patience) {
  if (signal_number != SIGTERM && signal_number != SIGKILL) {
    return Fail(ErrorCode::kInvalidArgument,
                "signal job " + Quoted(job_.name) + ": neither SIGTERM nor SIGKILL");
  }
  if (tracked_->exited().Peek()) return false;
  // First: the news may come before the answer.
  tracked_->ExpectKill();
  const Result<Json> stopped = cluster_.api.Patch(kJobs, job_.name, StopPatch(), patience);
  if (!stopped && stopped.error().code == ErrorCode::kNotFound) {
    // Somebody else has deleted it.
    tracked_->ExpectKill(false);
    return false;
  }
  if (!stopped) return stopped.error();
  if (signal_number == SIGKILL) TW_TRY(KillPod(patience));
  return true;
}

// One that is gone by now went because its Job was stopped.
Result<void> JobContainer::KillPod(const run::Patience& patience) {
  const std::optional<PodView> pod = tracked_->pod();
  if (!pod) return Ok();
  const auto gone = cluster_.api.Delete(
      kPods, pod->name, {.propagation = "Background", .uid = pod->uid, .grace_seconds = 1},
      patience);
  return gone ? Ok() : Result<void>(gone.error());
}

}  // namespace tidewaiter::kubernetes
