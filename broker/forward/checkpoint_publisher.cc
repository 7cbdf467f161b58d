#include "broker/forward/checkpoint_publisher.h"

#include <fmt/format.h>

#include <charconv>
#include <condition_variable>
#include <system_error>
#include <utility>

#include "base/deadline.h"
#include "base/guarded.h"
#include "broker/forward/backoff.h"
#include "broker/forward/checkpoint_order.h"

namespace tidewaiter::forward {
namespace {

using Clock = Deadline::Clock;

// How long a thread that was told to stop may take to do so.
constexpr std::chrono::milliseconds kFarewell(250);

std::optional<std::chrono::seconds> Ago(const std::optional<Clock::time_point>& when) {
  if (!when) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - *when);
}

Result<void> Replace(CheckpointSink& sink, const std::string& note, const std::stop_token& stop,
                     Deadline deadline) {
  TW_ASSIGN(const std::optional<std::string> kept, sink.Kept(stop, deadline));
  if (kept) TW_TRY(MayReplace(*kept, note));
  return sink.Publish(note, stop, deadline);
}

}  // namespace

struct CheckpointPublisher::Shared {
  struct State {
    std::optional<std::string> pending;
    std::optional<Clock::time_point> pending_since;
    std::optional<std::uint64_t> published_size;
    std::optional<Clock::time_point> published_at;
    std::optional<Error> failure;
    bool stopping = false;
    bool ended = false;
  };

  PublisherSettings settings;
  std::unique_ptr<CheckpointSink> sink;
  Guarded<State> state;
  std::condition_variable_any changed;
  // Null once nobody is there to be told any more. A lock of its own: who offers does not wait for
  // the log.
  Guarded<Log*> log;

  void Tell(LogLevel level, const std::string& message) {
    auto target = log.Lock();
    if (*target != nullptr) (*target)->Write(level, message);
  }
  void NotePublished(const std::string& note);
  void NoteFailed(std::string note, const Error& error);
};

void CheckpointPublisher::Shared::NotePublished(const std::string& note) {
  bool again = false;
  {
    auto now = state.Lock();
    now->published_size = SizeInCheckpoint(note);
    now->published_at = Clock::now();
    if (!now->pending) now->pending_since.reset();
    again = std::exchange(now->failure, std::nullopt).has_value();
  }
  if (again) {
    Tell(LogLevel::kInfo, fmt::format("publish checkpoints to {}: works again", sink->Name()));
  }
}

void CheckpointPublisher::Shared::NoteFailed(std::string note, const Error& error) {
  bool first = false;
  {
    auto now = state.Lock();
    if (!now->pending) now->pending = std::move(note);
    first = !std::exchange(now->failure, error).has_value();
  }
  if (first) {
    Tell(LogLevel::kWarning,
         fmt::format("publish checkpoints to {}: {}", sink->Name(), error.message));
  }
}

Result<std::unique_ptr<CheckpointPublisher>> CheckpointPublisher::Start(
    PublisherSettings settings, std::unique_ptr<CheckpointSink> sink, Log& log) {
  auto shared = std::make_shared<Shared>();
  shared->settings = settings;
  shared->sink = std::move(sink);
  *shared->log.Lock() = &log;
  std::unique_ptr<CheckpointPublisher> publisher(new CheckpointPublisher(shared));
  try {
    publisher->thread_ = std::jthread([shared](const std::stop_token& stop) { Run(shared, stop); });
  } catch (const std::system_error& error) {
    return Fail(ErrorCode::kResourceExhausted, "start a thread: " + error.code().message());
  }
  return publisher;
}

void CheckpointPublisher::Run(const std::shared_ptr<Shared>& shared, const std::stop_token& stop) {
  const PublisherSettings& settings = shared->settings;
  Backoff backoff(settings.first_retry, settings.last_retry);
  for (;;) {
    std::string note;
    bool last = false;
    {
      auto state = shared->state.Lock();
      state.Wait(shared->changed, stop, Deadline::Never(),
                 [&state] { return state->pending || state->stopping; });
      last = state->stopping;
      if (!state->pending || stop.stop_requested()) break;
      note = *std::exchange(state->pending, std::nullopt);
    }
    const Deadline deadline =
        Deadline::After(last ? settings.last_attempt : settings.attempt_timeout);
    const Result<void> published = Replace(*shared->sink, note, stop, deadline);
    if (published) {
      backoff.Reset();
      shared->NotePublished(note);
      continue;
    }
    shared->NoteFailed(std::move(note), published.error());
    if (last) break;
    auto state = shared->state.Lock();
    state.Wait(shared->changed, stop, Deadline::After(backoff.Next()),
               [&state] { return state->stopping; });
  }
  shared->state.Lock()->ended = true;
  shared->changed.notify_all();
}

CheckpointPublisher::~CheckpointPublisher() {
  const auto await_end = [this](std::chrono::milliseconds patience) {
    auto state = shared_->state.Lock();
    state->stopping = true;
    shared_->changed.notify_all();
    return state.Wait(shared_->changed, {}, Deadline::After(patience),
                      [&state] { return state->ended; });
  };
  if (!thread_.joinable() || await_end(shared_->settings.last_attempt)) return;
  thread_.request_stop();
  if (await_end(kFarewell)) return;
  // In a call to a file system that does not answer: what it uses stays with it.
  *shared_->log.Lock() = nullptr;
  thread_.detach();
}

void CheckpointPublisher::Offer(std::string note) {
  {
    auto state = shared_->state.Lock();
    if (!state->pending_since) state->pending_since = Clock::now();
    state->pending = std::move(note);
  }
  shared_->changed.notify_all();
}

CheckpointPublisher::Standing CheckpointPublisher::Now() const {
  Standing standing;
  standing.sink = shared_->sink->Name();
  auto state = shared_->state.Lock();
  standing.published_size = state->published_size;
  standing.published_ago = Ago(state->published_at);
  standing.waiting_for = Ago(state->pending_since);
  standing.failure = state->failure;
  return standing;
}

std::optional<std::uint64_t> SizeInCheckpoint(std::string_view note) {
  const std::size_t first = note.find('\n');
  if (first == std::string_view::npos) return std::nullopt;
  note.remove_prefix(first + 1);
  const std::string_view line = note.substr(0, note.find('\n'));
  std::uint64_t size = 0;
  const char* const end = line.data() + line.size();
  const auto [rest, error] = std::from_chars(line.data(), end, size);
  if (error != std::errc() || rest != end) return std::nullopt;
  return size;
}

}  // namespace tidewaiter::forward
