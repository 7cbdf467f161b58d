#include "broker/kubernetes/log_follower.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "base/printable.h"
#include "broker/kubernetes/job_manifest.h"

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

LogFollower::LogFollower(ClusterApi& api, RunWatcher::Tracked& tracked, run::OutputSink& sink,
                         io::EventLoop& steps, std::unique_ptr<StdinFeeder> stdin_to,
                         run::LogPosition has)
    : api_(api),
      tracked_(tracked),
      sink_(sink),
      steps_(steps),
      stdin_(std::move(stdin_to)),
      wait_(kFirstRetry) {
  if (has.stdout_bytes > 0) former_ = std::move(has);
  life_->self = this;  // nobody has it yet
  sink_.SetResume([this] { control_.Resume(); });
  tracked_.SetOnChange([this] { Post([](LogFollower& self) { self.OnNews(); }); });
  Post([](LogFollower& self) { self.OnNews(); });
}

LogFollower::~LogFollower() {
  tracked_.SetOnChange({});
  const auto gone = std::make_shared<Completion<bool>>();
  steps_.Post([this, gone] {
    life_->self = nullptr;
    if (timer_ != 0) steps_.CancelTimer(timer_);
    stream_.reset();
    gone->Set(true);
  });
  gone->Wait({}, Deadline::Never());
  sink_.SetResume({});
}

template <typename Task>
void LogFollower::Post(Task task) {
  steps_.Post([life = life_, task = std::move(task)] {
    if (life->self != nullptr) task(*life->self);
  });
}

void LogFollower::CallAt(Deadline when, void (LogFollower::*step)()) {
  if (timer_ != 0) steps_.CancelTimer(timer_);
  timer_ = steps_.CallAt(when, [this, step] {
    timer_ = 0;
    (this->*step)();
  });
}

std::uint64_t LogFollower::Had() const {
  return former_ ? former_->stdout_bytes : handed_on_.bytes();
}

bool LogFollower::IsWhatItHad(const run::LogPrefix& prefix) const {
  return former_ ? prefix.Digest() == former_->stdout_digest : prefix.SameAs(handed_on_);
}

io::StreamNext LogFollower::OnData(std::string_view data) {
  if (again_) {
    const auto known = std::min<std::uint64_t>(Had() - again_->bytes(), data.size());
    again_->Add(data.substr(0, known));
    data.remove_prefix(known);
    if (again_->bytes() < Had()) return io::StreamNext::kMore;
    differs_ = !IsWhatItHad(*again_);
    if (differs_) return io::StreamNext::kEnd;
    if (former_) handed_on_ = *std::move(again_);
    former_.reset();
    again_.reset();
  }
  if (data.empty()) return io::StreamNext::kMore;
  if (tracked_.kill_expected() && IsKubeletsOwn(data)) return io::StreamNext::kEnd;
  handed_on_.Add(data);
  const bool room =
      sink_.Write(run::OutputStream::kStdout, std::as_bytes(std::span(data.data(), data.size())));
  return room ? io::StreamNext::kMore : io::StreamNext::kPause;
}

void LogFollower::OnNews() {
  if (phase_ == Phase::kAwaitsNews) return AwaitNews();
  if (phase_ != Phase::kAwaitsStart) return;
  // In this order: an end that comes in between has told of its pod before.
  const bool exited = tracked_.exited().Peek().has_value();
  const std::optional<PodView> view = tracked_.pod();
  if (view && HasStarted(*view)) {
    pod_ = view->name;
    Read();
  } else if (exited) {
    End(std::nullopt);
  }
}

void LogFollower::Read() {
  phase_ = Phase::kReads;
  differs_ = tracked_.log_lost();
  if (differs_) return OnEnd(Ok());
  before_ = Had();
  again_.reset();
  if (before_ > 0) again_.emplace();
  io::StreamReceiver receiver{.on_open = {},
                              .on_data = [this](std::string_view data) { return OnData(data); },
                              .control = &control_};
  auto stream = api_.BeginLog(
      pod_, kJobContainer, !container_ended_, std::move(receiver),
      [this](const Result<void>& read) { Post([read](LogFollower& self) { self.OnEnd(read); }); });
  if (!stream) return OnEnd(stream.error());
  stream_ = *std::move(stream);
}

void LogFollower::OnEnd(const Result<void>& read) {
  stream_.reset();
  // It began anew, and is shorter now than it was. Of a container that runs, or ran when it was
  // asked for, it may have been cut off: an API server that loses the kubelet ends it as if whole.
  differs_ = differs_ || (read && again_ && container_ended_);
  if (differs_) {
    tracked_.LoseLog();
    return End(Fail(ErrorCode::kUnavailable,
                    "follow the log of pod " + Quoted(pod_) +
                        ": it is another one than before: the node has rotated it",
                    "LOG_INCOMPLETE"));
  }
  if (read && container_ended_) return End(std::nullopt);
  if (!read) return Again(read);
  phase_ = Phase::kAwaitsNews;
  usual_ = Deadline::After(kUsualDelay);
  news_until_ = Deadline::After(kNewsDelay);
  AwaitNews();
}

bool LogFollower::SeesEnd() {
  if (!container_ended_ && tracked_.exited().Peek()) {
    container_ended_ = true;
    failures_ = 0;  // of a container that runs, they say nothing
  }
  return container_ended_;
}

void LogFollower::AwaitNews() {
  const bool ended = SeesEnd();
  if (!ended && !news_until_.Passed()) return CallAt(news_until_, &LogFollower::AwaitNews);
  // What came to an end with its container is whole. Where the news of that is late, something else
  // may have ended the stream first: the rest is asked for once more.
  if (ended && !usual_.Passed() && !again_) return End(std::nullopt);
  Again(Ok());
}

void LogFollower::Again(const Result<void>& read) {
  const bool progress = Had() != before_;
  failures_ = read || progress ? 0 : failures_ + 1;
  // A kubelet may not know a container yet that its status tells of; one that is being removed does
  // not come back.
  const bool none = !read && read.error().code == ErrorCode::kNotFound;
  if (none && tracked_.kill_expected()) return End(read.error());
  if (SeesEnd() && failures_ >= kMostFailures) return End(read.error());
  wait_ = progress ? kFirstRetry : std::min(wait_ * 2, kLongestRetry);
  phase_ = Phase::kPauses;
  CallAt(Deadline::After(wait_), &LogFollower::Read);
}

void LogFollower::End(std::optional<Error> error) {
  phase_ = Phase::kOver;
  if (timer_ != 0) steps_.CancelTimer(std::exchange(timer_, 0));
  ended_.Set(std::move(error));
}

}  // namespace tidewaiter::kubernetes
