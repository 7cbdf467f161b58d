#include "broker/kubernetes/log_follower.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "base/printable.h"
#include "broker/kubernetes/job_manifest.h"
#include "broker/run/pause.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{2000};
// Attempts in a row that bring nothing new, of a container that has ended: its log is not to be
// had.
constexpr int kMostFailures = 10;
// From the end of a log to the news that its container has ended. A kubelet ends a stream that it
// follows when the container has ended, and else only where its connection breaks.
constexpr milliseconds kNewsDelay{5000};
constexpr milliseconds kUsualDelay{3000};

// A kubelet that removes a container while its log is followed writes why it cannot go on into the
// log itself (seen with 1.20; kubelet/server, ServeLogs). Of a container that is being killed, what
// begins so is the kubelet's.
bool IsKubeletsOwn(std::string_view data) {
  return data.starts_with("rpc error: code = ") ||
         data.starts_with("unable to retrieve container logs for ") ||
         data.starts_with("failed to try resolving symlinks in path ");
}

}  // namespace

LogPrefix::LogPrefix() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
}

void LogPrefix::Add(std::string_view data) {
  EVP_DigestUpdate(context_.get(), data.data(), data.size());
  bytes_ += data.size();
}

std::string LogPrefix::Digest() const {
  // Of a copy: more may be added to this one.
  const std::unique_ptr<EVP_MD_CTX, ContextDeleter> copy(EVP_MD_CTX_new());
  EVP_MD_CTX_copy_ex(copy.get(), context_.get());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_DigestFinal_ex(copy.get(), digest.data(), &length);
  return {digest.begin(), digest.begin() + length};
}

bool LogPrefix::SameAs(const LogPrefix& other) const {
  return bytes_ == other.bytes_ && Digest() == other.Digest();
}

LogFollower::LogFollower(ClusterApi& api, RunWatcher::Tracked& tracked, run::OutputSink& sink,
                         std::unique_ptr<StdinFeeder> stdin_to)
    : api_(api), tracked_(tracked), sink_(sink), stdin_(std::move(stdin_to)) {
  sink_.SetResume([this] { control_.Resume(); });
  thread_ = std::jthread([this](const std::stop_token& stop) { Follow(stop); });
}

LogFollower::~LogFollower() {
  thread_.request_stop();
  thread_.join();
  sink_.SetResume({});
}

// On the loop's thread. `seen` is what this stream has brought so far.
io::StreamNext LogFollower::OnData(std::string_view data, LogPrefix& seen) {
  if (seen.bytes() < handed_on_.bytes()) {
    const auto known = std::min<std::uint64_t>(handed_on_.bytes() - seen.bytes(), data.size());
    seen.Add(data.substr(0, known));
    data.remove_prefix(known);
    if (seen.bytes() < handed_on_.bytes()) return io::StreamNext::kMore;
    differs_ = !seen.SameAs(handed_on_);
    if (differs_) return io::StreamNext::kEnd;
  }
  if (data.empty()) return io::StreamNext::kMore;
  if (tracked_.kill_expected() && IsKubeletsOwn(data)) return io::StreamNext::kEnd;
  seen.Add(data);
  handed_on_.Add(data);
  const bool room =
      sink_.Write(run::OutputStream::kStdout, std::as_bytes(std::span(data.data(), data.size())));
  return room ? io::StreamNext::kMore : io::StreamNext::kPause;
}

Result<void> LogFollower::FollowOnce(const std::string& pod, bool follow,
                                     const std::stop_token& stop) {
  LogPrefix seen;
  const io::StreamReceiver receiver{
      .on_open = {},
      .on_data = [&](std::string_view data) { return OnData(data, seen); },
      .control = &control_};
  TW_TRY(api_.ReadLog(pod, kJobContainer, follow, {.stop = stop, .deadline = Deadline::Never()},
                      receiver));
  // It began anew, and is shorter now than it was.
  differs_ = differs_ || seen.bytes() < handed_on_.bytes();
  return Ok();
}

void LogFollower::Follow(const std::stop_token& stop) {
  const std::optional<std::string> started = AwaitStart(tracked_, stop);
  if (!started) {
    ended_.Set(std::nullopt);
    return;
  }
  const std::string& pod = *started;
  milliseconds wait = kFirstRetry;
  int failures = 0;
  bool ended = false;  // the container, before the log was last asked for
  while (!stop.stop_requested()) {
    const std::uint64_t before = handed_on_.bytes();
    const Result<void> read = FollowOnce(pod, !ended, stop);
    if (differs_) {
      tracked_.LoseLog();
      ended_.Set(Fail(ErrorCode::kUnavailable,
                      "follow the log of pod " + Quoted(pod) +
                          ": it is another one than before: "
                          "the node has rotated it",
                      "LOG_INCOMPLETE"));
      return;
    }
    if (read && ended) break;
    if (read) {
      const Deadline soon = Deadline::After(kUsualDelay);
      ended = tracked_.exited().Wait(stop, Deadline::After(kNewsDelay)).has_value();
      // What came to an end with its container is whole. Where the news of that is late, something
      // else may have ended the stream first: the rest is asked for once more.
      if (ended && !soon.Passed()) break;
    }
    const bool progress = handed_on_.bytes() != before;
    failures = read || progress ? 0 : failures + 1;
    // A kubelet may not know a container yet that its status tells of; one that is being removed
    // does not come back.
    const bool none = !read && read.error().code == ErrorCode::kNotFound;
    if (none && (tracked_.kill_expected() || failures >= kMostFailures)) {
      ended_.Set(read.error());
      return;
    }
    if (tracked_.exited().Peek()) {
      ended = true;
      if (failures >= kMostFailures) {
        ended_.Set(read.error());
        return;
      }
    }
    wait = progress ? kFirstRetry : std::min(wait * 2, kLongestRetry);
    static_cast<void>(run::Pause(wait, {.stop = stop, .deadline = Deadline::Never()}));
  }
  ended_.Set(std::nullopt);
}

}  // namespace tidewaiter::kubernetes
