#include "broker/io/duplex_stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

#include "base/completion.h"
#include "base/unique_fd.h"
#include "broker/io/http_upgrade.h"

namespace tidewaiter::io {
namespace {

constexpr std::size_t kMaxQueued = std::size_t{64} << 10U;
// on_room comes when this much is free, so that a pump does not go back and forth per byte.
constexpr std::size_t kRoomEnough = kMaxQueued / 2;

// The connection itself. Shared by its owner and what it has posted to the loop; closed on the
// loop's thread, after which it calls nobody.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(EventLoop& loop, UpgradedConnection upgraded, DuplexStream::Callbacks callbacks)
      : loop_(loop),
        fd_(std::move(upgraded.fd)),
        early_(std::move(upgraded.early)),
        callbacks_(std::move(callbacks)) {}

  // Any thread.
  std::size_t Write(std::span<const std::byte> data);
  void FinishWriting();
  void Resume();

  // The loop's thread.
  void Begin();
  void Close();
  // After Close(), where no callback is on the stack: what they hold on to goes now.
  void ForgetCallbacks() { callbacks_ = {}; }

 private:
  enum class Reading { kOn, kPaused, kEnded };

  void OnReady(std::uint32_t events);
  void Read();
  void Deliver(std::span<const std::byte> data);
  void EndReading(std::optional<Error> error);
  void Flush();
  bool SendQueued();
  void UpdateWatch();
  void PostFlush();

  EventLoop& loop_;
  UniqueFd fd_;
  std::string early_;
  DuplexStream::Callbacks callbacks_;
  std::atomic<bool> resume_posted_{false};

  std::mutex mutex_;
  std::vector<std::byte> queue_;  // under mutex_; no memory while nothing waits
  std::size_t queue_sent_ = 0;    // under mutex_: how much of the queue's front is gone
  bool finish_ = false;           // under mutex_: half-close after the queue
  bool write_closed_ = false;     // under mutex_: finished or broken
  bool wants_room_ = false;       // under mutex_: a Write() has been cut short
  bool flush_posted_ = false;     // under mutex_

  // The loop's thread only.
  Reading reading_ = Reading::kOn;
  bool write_blocked_ = false;  // the kernel's buffer is full
  bool closed_ = false;
};

void Connection::Begin() {
  if (closed_) return;
  const auto ready = [self = shared_from_this()](std::uint32_t events) { self->OnReady(events); };
  if (const Result<void> watching = loop_.Watch(fd_.get(), 0, ready); !watching) {
    EndReading(watching.error());
    return;
  }
  const std::string early = std::exchange(early_, {});
  if (!early.empty()) Deliver(std::as_bytes(std::span(early)));
  if (!closed_) UpdateWatch();
}

void Connection::Close() {
  if (std::exchange(closed_, true)) return;
  loop_.Unwatch(fd_.get());
  fd_.Reset();
}

void Connection::OnReady(std::uint32_t events) {
  if (write_blocked_ && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) Flush();
  if (closed_) return;
  if (reading_ == Reading::kPaused && (events & EPOLLHUP) != 0 && callbacks_.on_hang_up) {
    callbacks_.on_hang_up();
  }
  // A hang-up is found by reading, after what came before it.
  if (reading_ == Reading::kOn && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Read();
}

// Once per readiness, so that a busy connection leaves the loop to the others.
void Connection::Read() {
  const std::span<std::byte> buffer = loop_.Scratch();
  const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (got > 0) {
    Deliver(buffer.first(static_cast<std::size_t>(got)));
    if (!closed_) UpdateWatch();
  } else if (got == 0) {
    EndReading(std::nullopt);
  } else if (errno != EAGAIN && errno != EINTR) {
    EndReading(Fail(ErrorCode::kUnavailable, ErrnoError(errno, "read the stream").message));
  }
}

void Connection::Deliver(std::span<const std::byte> data) {
  if (!callbacks_.on_data(data)) reading_ = Reading::kPaused;
}

void Connection::EndReading(std::optional<Error> error) {
  reading_ = Reading::kEnded;
  UpdateWatch();
  callbacks_.on_end(std::move(error));
}

void Connection::UpdateWatch() {
  std::uint32_t events = write_blocked_ ? EPOLLOUT : 0U;
  if (reading_ == Reading::kOn) events |= EPOLLIN;
  // Only that it is gone, and only once: it stays so until somebody reads on.
  if (reading_ == Reading::kPaused && callbacks_.on_hang_up) events |= EPOLLRDHUP | EPOLLET;
  const Result<void> armed = loop_.Rearm(fd_.get(), events);
  // Out of memory in the kernel: without events the stream would stand still for ever.
  if (!armed && reading_ != Reading::kEnded) {
    reading_ = Reading::kEnded;
    callbacks_.on_end(armed.error());
  }
}

void Connection::Resume() {
  if (resume_posted_.exchange(true)) return;
  loop_.Post([self = shared_from_this()] {
    self->resume_posted_ = false;
    if (self->closed_ || self->reading_ != Reading::kPaused) return;
    self->reading_ = Reading::kOn;
    self->UpdateWatch();
  });
}

std::size_t Connection::Write(std::span<const std::byte> data) {
  const std::lock_guard lock(mutex_);
  if (finish_ || write_closed_) return data.size();
  const std::size_t waiting = queue_.size() - queue_sent_;
  const std::size_t taken = std::min(data.size(), kMaxQueued - waiting);
  wants_room_ = wants_room_ || taken < data.size();
  if (taken == 0) return 0;
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(queue_sent_));
  queue_sent_ = 0;
  queue_.insert(queue_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(taken));
  PostFlush();
  return taken;
}

void Connection::FinishWriting() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(finish_, true)) return;
  PostFlush();
}

void Connection::PostFlush() {
  if (std::exchange(flush_posted_, true)) return;
  loop_.Post([self = shared_from_this()] {
    if (!self->closed_) self->Flush();
  });
}

void Connection::Flush() {
  if (SendQueued() && callbacks_.on_room) callbacks_.on_room();
  if (!closed_) UpdateWatch();
}

// Sends what the kernel takes. Whether there is room again for a Write() that was cut short.
bool Connection::SendQueued() {
  const std::lock_guard lock(mutex_);
  flush_posted_ = false;
  write_blocked_ = false;
  while (!write_closed_ && queue_sent_ < queue_.size()) {
    const std::span<const std::byte> rest = std::span(queue_).subspan(queue_sent_);
    const ssize_t sent = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      queue_sent_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      write_blocked_ = true;
      break;
    } else if (errno != EINTR) {
      write_closed_ = true;  // whether the whole connection broke is for the reading side to find
    }
  }
  if (write_closed_ || queue_sent_ == queue_.size()) {
    queue_ = {};
    queue_sent_ = 0;
    if (finish_ && !std::exchange(write_closed_, true)) ::shutdown(fd_.get(), SHUT_WR);
  }
  const bool room = kMaxQueued - (queue_.size() - queue_sent_) >= kRoomEnough;
  return room && std::exchange(wants_room_, false);
}

class UpgradedStream final : public DuplexStream {
 public:
  UpgradedStream(EventLoop& loop, std::shared_ptr<Connection> connection)
      : loop_(loop), connection_(std::move(connection)) {
    loop_.Post([connection = connection_] { connection->Begin(); });
  }
  UpgradedStream(const UpgradedStream&) = delete;
  UpgradedStream& operator=(const UpgradedStream&) = delete;

  ~UpgradedStream() override {
    if (loop_.OnLoopThread()) {
      connection_->Close();
      return;
    }
    const auto closed = std::make_shared<Completion<bool>>();  // shared: Set() may outlast Wait()
    loop_.Post([connection = connection_, closed] {
      connection->Close();
      connection->ForgetCallbacks();
      closed->Set(true);
    });
    closed->Wait({}, Deadline::Never());
  }

  std::size_t Write(std::span<const std::byte> data) override { return connection_->Write(data); }
  void FinishWriting() override { connection_->FinishWriting(); }
  void Resume() override { connection_->Resume(); }

 private:
  EventLoop& loop_;
  const std::shared_ptr<Connection> connection_;
};

}  // namespace

Result<std::unique_ptr<DuplexStream>> DuplexStream::Open(
    EventLoop& loop, const std::string& unix_socket, const std::string& target, Callbacks callbacks,
    const std::stop_token& stop, Deadline deadline) {
  TW_ASSIGN(UpgradedConnection upgraded, UpgradeConnection(unix_socket, target, stop, deadline));
  auto connection = std::make_shared<Connection>(loop, std::move(upgraded), std::move(callbacks));
  return std::make_unique<UpgradedStream>(loop, std::move(connection));
}

}  // namespace tidewaiter::io
