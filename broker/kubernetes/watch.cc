#include "broker/kubernetes/watch.h"

#include <algorithm>
#include <utility>

#include "broker/io/line_splitter.h"
#include "broker/kubernetes/status.h"
#include "broker/run/pause.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kFirstRetry{100};
// An object in etcd is at most 1.5 MiB, and its JSON about twice that.
constexpr std::size_t kMaxLine = std::size_t{8} << 20U;

}  // namespace

Watch::Watch(ClusterApi& api, const ObjectKind& kind, std::string query,
             const KubernetesSettings& settings, Handlers handlers)
    : api_(api),
      kind_(kind),
      query_(std::move(query)),
      settings_(settings),
      handlers_(std::move(handlers)),
      thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

Watch::~Watch() {
  thread_.request_stop();
  thread_.join();
}

bool Watch::Following() {
  return shared_.Lock()->following;
}

// What another attempt soon will not change: rights, or the namespace, are missing.
bool Watch::Refused(const Shared& shared) {
  if (!shared.last_error) return false;
  const std::string_view reason = shared.last_error->Reason();
  return reason == "CLUSTER_FORBIDDEN" || reason == "CLUSTER_UNAUTHORIZED" ||
         reason == "NAMESPACE_MISSING";
}

Result<void> Watch::WaitUntilFollowing(const run::Patience& patience) {
  auto shared = shared_.Lock();
  const bool following = shared.Wait(changed_, patience.stop, patience.deadline,
                                     [&shared] { return shared->following || Refused(*shared); });
  if (following && shared->following) return Ok();
  const std::string subject = "wait for the watch of " + std::string(kind_.plural);
  if (patience.stop.stop_requested()) return Fail(ErrorCode::kCancelled, subject + ": cancelled");
  if (shared->last_error) return *shared->last_error;
  return Fail(ErrorCode::kDeadlineExceeded, subject + ": no answer in time", "ENGINE_UNAVAILABLE");
}

void Watch::Loop(const std::stop_token& stop) {
  milliseconds wait = kFirstRetry;
  while (!stop.stop_requested()) {
    const auto began = Clock::now();
    const Error error = FollowOnce(stop);
    if (stop.stop_requested()) return;
    milliseconds silent{0};
    {
      auto shared = shared_.Lock();
      if (std::exchange(shared->following, false)) shared->heard = Clock::now();
      shared->last_error = error;
      silent = std::chrono::duration_cast<milliseconds>(Clock::now() - shared->heard);
    }
    changed_.notify_all();
    handlers_.on_silence(silent, error);
    // A watch that lasted is one that the server ended in good order.
    if (Clock::now() - began > settings_.watch_retry_max) wait = kFirstRetry;
    static_cast<void>(run::Pause(wait, {.stop = stop, .deadline = Deadline::Never()}));
    wait = std::min(wait * 2, settings_.watch_retry_max);
  }
}

Result<void> Watch::Relist(const std::stop_token& stop) {
  handlers_.on_list_begin();
  TW_ASSIGN(resource_version_,
            api_.List(kind_, query_, {.stop = stop, .deadline = Deadline::Never()},
                      [this](const Json& object) { handlers_.on_object(object); }));
  handlers_.on_list_end();
  return Ok();
}

Error Watch::FollowOnce(const std::stop_token& stop) {
  if (resource_version_.empty()) {
    if (const auto listed = Relist(stop); !listed) return listed.error();
  }
  io::LineSplitter lines(kMaxLine);
  refused_.reset();
  const io::StreamReceiver receiver{
      .on_open = [this] { OnOpen(); },
      .on_data =
          [&](std::string_view data) {
            const bool whole =
                lines.Feed(data, [this](std::string_view line) { return OnLine(line); });
            if (lines.oversized() > 0) resource_version_.clear();
            return whole && lines.oversized() == 0 ? io::StreamNext::kMore : io::StreamNext::kEnd;
          },
      .control = nullptr};
  const Result<void> ended = api_.Watch(kind_, query_, resource_version_,
                                        {.stop = stop, .deadline = Deadline::Never()}, receiver);
  if (refused_) return *refused_;
  if (!ended) {
    // What is too old once stays too old.
    if (ended.error().Reason() == "CLUSTER_GONE") resource_version_.clear();
    return ended.error();
  }
  return Fail(ErrorCode::kUnavailable, "watch " + std::string(kind_.plural) + ": it ended",
              "ENGINE_UNAVAILABLE");
}

void Watch::OnOpen() {
  {
    auto shared = shared_.Lock();
    shared->following = true;
    shared->last_error.reset();
  }
  changed_.notify_all();
}

bool Watch::OnLine(std::string_view line) {
  const std::optional<Json> event = ParseJson(line);
  const std::string type = event ? TextAt(*event, "type") : std::string();
  const Json nothing;
  const Json& object = event ? At(*event, {"object"}) : nothing;
  if (type == "ERROR") {
    refused_ = StatusError(object, "watch " + std::string(kind_.plural));
    if (refused_->Reason() == "CLUSTER_GONE") resource_version_.clear();
    return false;
  }
  std::string version = TextAt(At(object, {"metadata"}), "resourceVersion");
  if (version.empty()) {  // nothing that could be taken up again from here
    refused_ = InvalidAnswer("watch " + std::string(kind_.plural), "an event without a version");
    resource_version_.clear();
    return false;
  }
  if (type == "ADDED" || type == "MODIFIED") {
    handlers_.on_object(object);
  } else if (type == "DELETED") {
    handlers_.on_gone(object);
  }
  resource_version_ = std::move(version);
  return true;
}

}  // namespace tidewaiter::kubernetes
