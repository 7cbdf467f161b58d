#include "broker/kubernetes/stdin_feeder.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "broker/kubernetes/exec_channels.h"
#include "broker/kubernetes/job_manifest.h"
#include "broker/run/pause.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kQueueBytes = std::size_t{64} << 10U;
constexpr std::size_t kMessageBytes = std::size_t{16} << 10U;
// Attempts to attach, until something has been sent.
constexpr int kAttempts = 20;
constexpr milliseconds kPause(500);
// From the end of the connection to the news that it was the container's.
constexpr seconds kNewsDelay(5);

}  // namespace

StdinFeeder::StdinFeeder(ClusterApi& api, RunWatcher::Tracked& tracked)
    : api_(api), tracked_(tracked), thread_([this](const std::stop_token& stop) { Feed(stop); }) {}

StdinFeeder::~StdinFeeder() {
  thread_.request_stop();
  thread_.join();
}

std::size_t StdinFeeder::Write(std::span<const std::byte> data) {
  auto queue = queue_.Lock();
  if (queue->over || queue->closed) return data.size();
  const std::size_t taken = std::min(data.size(), kQueueBytes - queue->bytes.size());
  queue->bytes.append(reinterpret_cast<const char*>(data.data()), taken);
  if (taken > 0 && queue->socket != nullptr) queue->socket->Wake();
  return taken;
}

void StdinFeeder::SetOnRoom(std::function<void()> on_room) {
  *on_room_.Lock() = std::move(on_room);
}

void StdinFeeder::Close() {
  auto queue = queue_.Lock();
  queue->closed = true;
  if (queue->socket != nullptr) queue->socket->Wake();
}

void StdinFeeder::TellRoom() {
  auto on_room = on_room_.Lock();
  if (*on_room) (*on_room)();
}

void StdinFeeder::GiveUp() {
  {
    auto queue = queue_.Lock();
    queue->over = true;
    queue->bytes = {};
  }
  TellRoom();
}

bool StdinFeeder::SendSome(io::WebSocket& socket) {
  bool done = false;
  bool room = false;
  {
    auto queue = queue_.Lock();
    while (!queue->bytes.empty()) {
      std::string message(1, kStdinChannel);
      message += std::string_view(queue->bytes).substr(0, kMessageBytes);
      if (!socket.Send(std::as_bytes(std::span(message)))) break;
      queue->bytes.erase(0, message.size() - 1);
      room = true;
    }
    done = queue->bytes.empty() && queue->closed;
  }
  if (room) TellRoom();
  return done;
}

// Nothing where all of it was sent.
Result<void> StdinFeeder::FeedInto(io::WebSocket& socket, const std::stop_token& stop) {
  using Kind = io::WebSocket::Event::Kind;
  ExecChannels channels(
      {.on_stdout = [](std::string_view) { return Ok(); }, .on_stderr = [](std::string_view) {}});
  while (!SendSome(socket)) {
    TW_ASSIGN(const io::WebSocket::Event event, socket.Receive(stop, Deadline::Never()));
    if (event.kind == Kind::kData) {
      const std::string_view piece(reinterpret_cast<const char*>(event.data.data()),
                                   event.data.size());
      TW_TRY(channels.Feed(piece, event.begins));
    }
    // A command that has closed its stdin reads no more, which is no fault.
    if (const auto end = channels.end()) return *end;
    if (event.kind == Kind::kClosed) {
      return Fail(ErrorCode::kUnavailable, "the cluster has closed the connection");
    }
  }
  // As long as the command takes to read it.
  return socket.Close(stop, Deadline::Never());
}

void StdinFeeder::Feed(const std::stop_token& stop) {
  Result<void> fed = Fail(ErrorCode::kUnavailable, "the container has not started");
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::optional<std::string> pod = AwaitStart(tracked_, stop);
    if (!pod || tracked_.exited().Peek()) break;
    auto socket =
        api_.AttachStdin(*pod, kJobContainer, {.stop = stop, .deadline = Deadline::Never()});
    if (socket) {
      queue_.Lock()->socket = socket->get();
      fed = FeedInto(**socket, stop);
      queue_.Lock()->socket = nullptr;
      break;
    }
    fed = socket.error();
    static_cast<void>(run::Pause(kPause, {.stop = stop, .deadline = Deadline::Never()}));
  }
  GiveUp();
  if (fed || stop.stop_requested() || tracked_.kill_expected()) return;
  // A container that ends takes its connection along.
  if (tracked_.exited().Wait(stop, Deadline::After(kNewsDelay)) || stop.stop_requested()) return;
  run::ContainerExit broken;
  broken.lost =
      Fail(ErrorCode::kUnavailable,
           "feed the container's stdin: it was cut off: " + fed.error().message, "STDIN_BROKEN");
  tracked_.End(std::move(broken));
}

}  // namespace tidewaiter::kubernetes
