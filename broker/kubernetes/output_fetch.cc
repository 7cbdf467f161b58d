#include "broker/kubernetes/output_fetch.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/printable.h"
#include "broker/kubernetes/file_volumes.h"
#include "broker/run/pause.h"
#include "extract/omission_lines.h"

namespace tidewaiter::kubernetes {
namespace {

using State = ContainerView::State;
using std::chrono::milliseconds;
using std::chrono::seconds;

// For the carrier to be started beside a job that ended at once, and for a cluster that is away.
constexpr seconds kReachable(60);
constexpr milliseconds kPause(500);
// For the carrier's end to be told of.
constexpr seconds kEnding(3);

Error Failed(const std::string& subject, const std::string& why) {
  return Fail(ErrorCode::kUnavailable, subject + ": " + why, "OUTPUT_FAILED");
}

class Fetch {
 public:
  Fetch(ClusterApi& api, RunWatcher::Tracked& tracked, const run::OutputRequest& request,
        const run::ArchiveWriter& write, const run::Patience& patience)
      : api_(api), tracked_(tracked), request_(request), write_(write), patience_(patience) {}

  Result<run::Omissions> Run() {
    for (;;) {
      TW_ASSIGN(const std::string pod, AwaitCarrier());
      Result<run::Omissions> fetched = Once(pod);
      if (fetched && request_.last) AwaitEnd();
      if (fetched || begun_ || reachable_.Passed()) return fetched;
      if (!run::Pause(kPause, patience_)) return fetched;
    }
  }

 private:
  // The carrier has been told to end: where that is waited for, nobody has to stop the pod.
  void AwaitEnd() {
    const Deadline soon = patience_.deadline.Sooner(Deadline::After(kEnding));
    std::uint64_t seen = 0;
    while (!soon.Passed() && !patience_.stop.stop_requested()) {
      const std::optional<PodView> pod = tracked_.pod();
      if (!pod || pod->Ended() || tracked_.kill_expected()) return;
      static_cast<void>(tracked_.WaitForChange(seen, {.stop = patience_.stop, .deadline = soon}));
    }
  }

  // The pod's name, once its carrier runs.
  Result<std::string> AwaitCarrier() {
    std::uint64_t seen = 0;
    for (;;) {
      if (tracked_.kill_expected()) {
        return Failed(subject_, "the pod was stopped, and its volumes went with it");
      }
      const std::optional<PodView> pod = tracked_.pod();
      if (!pod) return Failed(subject_, "it has no pod");
      if (pod->outputs.state == State::kRunning) return pod->name;
      if (pod->Ended() || pod->outputs.state == State::kTerminated || pod->deletion_requested_at) {
        return Failed(subject_, "the carrier, which keeps it, has ended: " + pod->outputs.reason +
                                    " " + pod->outputs.message);
      }
      if (reachable_.Passed()) {
        return Failed(subject_, "the carrier, which keeps it, has not started: " +
                                    pod->outputs.reason + " " + pod->outputs.message);
      }
      if (patience_.stop.stop_requested()) {
        return Fail(ErrorCode::kCancelled, subject_ + ": the run was stopped");
      }
      if (patience_.deadline.Passed()) {
        return Fail(ErrorCode::kDeadlineExceeded, subject_ + ": it took too long");
      }
      const Deadline until = patience_.deadline.Sooner(reachable_);
      static_cast<void>(tracked_.WaitForChange(seen, {.stop = patience_.stop, .deadline = until}));
    }
  }

  Result<run::Omissions> Once(const std::string& pod) {
    run::Omissions omissions;
    extract::OmissionReader said([&](std::string_view code, std::string_view path) {
      omissions.Add({.path = std::string(path), .code = std::string(code)});
    });
    std::optional<Error> refused;
    std::uint64_t taken = 0;
    // stdout and stderr come each on its own: that it is packed may be told before all is here.
    const auto whole = [&] { return said.omitted() && said.sent().value_or(taken) == taken; };
    const auto take = [&](std::string_view piece) -> Result<void> {
      begun_ = true;
      taken += piece.size();
      auto written = write_(piece);
      if (!written) refused = written.error();
      return written;
    };
    // The carrier keeps what it has packed until it hears that it is here: it may be cut off until
    // then.
    bool acknowledged = false;
    const auto acknowledge = [&]() -> std::string {
      if (acknowledged || !whole()) return {};
      acknowledged = true;
      return "\n";
    };
    const Result<void> ended = api_.Exec(
        pod, kOutputsContainer, PackCommand(request_.name, request_.max_bytes, request_.last),
        {.on_stdout = take, .on_stderr = [&](std::string_view text) { said.Feed(text); }},
        request_.last ? acknowledge : std::function<std::string()>(), patience_);
    if (refused) return *refused;
    // With the last one the container itself ends, and may take its status along.
    if (whole()) {
      omissions.count = *said.omitted();
      return omissions;
    }
    if (!ended && ended.error().code == ErrorCode::kCancelled) return ended.error();
    // Before what was said: half a line says nothing.
    if (!ended && begun_ && ended.error().code == ErrorCode::kUnavailable) {
      return Fail(ErrorCode::kUnavailable, subject_ + ": " + ended.error().message,
                  std::string(run::kOutputCut));
    }
    if (!said.message().empty()) return Failed(subject_, said.message());
    return Failed(subject_,
                  ended ? "the carrier did not say that it is whole" : ended.error().message);
  }

  ClusterApi& api_;
  RunWatcher::Tracked& tracked_;
  const run::OutputRequest& request_;
  const run::ArchiveWriter& write_;
  const run::Patience& patience_;
  const std::string subject_ = "fetch output " + Quoted(request_.name);
  const Deadline reachable_ = Deadline::After(kReachable);
  bool begun_ = false;
};

}  // namespace

Result<run::Omissions> FetchOutput(ClusterApi& api, RunWatcher::Tracked& tracked,
                                   const run::OutputRequest& request,
                                   const run::ArchiveWriter& write, const run::Patience& patience) {
  return Fetch(api, tracked, request, write, patience).Run();
}

}  // namespace tidewaiter::kubernetes
