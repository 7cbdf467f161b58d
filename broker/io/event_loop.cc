// Each turn does a bounded amount of work: the tasks posted before it, at most kMaxTimers timers
// and kMaxEvents descriptors. With nothing due it blocks in epoll_wait without a timeout.
#include "broker/io/event_loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "broker/io/timer_queue.h"

namespace tidewaiter::io {
namespace {

constexpr std::size_t kMaxEvents = 64;
constexpr std::size_t kMaxTimers = 256;
constexpr std::size_t kScratchBytes = std::size_t{64} << 10U;

// The loop whose thread this is.
thread_local const EventLoop* current_loop = nullptr;

// What epoll hands back. The generation tells a watch from an earlier one of the same number within
// one batch of events; 0 is the loop's own descriptors.
std::uint64_t Token(std::uint32_t generation, int fd) {
  return (std::uint64_t{generation} << 32U) | static_cast<std::uint32_t>(fd);
}

epoll_event Event(std::uint32_t events, std::uint64_t token) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  return event;
}

class EpollLoop final : public EventLoop {
 public:
  EpollLoop(UniqueFd epoll, UniqueFd wake, UniqueFd timer)
      : epoll_(std::move(epoll)), wake_(std::move(wake)), timer_(std::move(timer)) {}
  EpollLoop(const EpollLoop&) = delete;
  EpollLoop& operator=(const EpollLoop&) = delete;
  ~EpollLoop() override;

  Result<void> Launch();

  void Post(std::function<void()> task) override;
  bool OnLoopThread() const noexcept override { return current_loop == this; }
  Result<void> Watch(int fd, std::uint32_t events,
                     std::function<void(std::uint32_t)> ready) override;
  Result<void> Rearm(int fd, std::uint32_t events) override;
  void Unwatch(int fd) override;
  TimerId CallAt(Deadline when, std::function<void()> task) override;
  void CancelTimer(TimerId timer) override { timers_.Cancel(timer); }
  std::span<std::byte> Scratch() override;
  std::uint64_t Beats() const noexcept override { return beats_.load(std::memory_order_relaxed); }

 private:
  struct Watched {
    std::uint32_t generation = 0;
    std::uint32_t events = 0;
    bool in_epoll = false;
    std::function<void(std::uint32_t)> ready;
  };

  void Run(const std::stop_token& stop) noexcept;
  void RunTasks();
  void RunTimers();
  void ArmTimer();
  void WaitForEvents();
  void Dispatch(const epoll_event& event);
  void Wake() const;
  Result<void> Apply(int fd, Watched& watched) const;

  UniqueFd epoll_;
  UniqueFd wake_;
  UniqueFd timer_;
  std::atomic<std::uint64_t> beats_{0};

  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;  // under mutex_
  bool closed_ = false;                       // under mutex_

  // The loop's thread only.
  std::unordered_map<int, std::shared_ptr<Watched>> watches_;
  std::uint32_t last_generation_ = 0;
  TimerQueue timers_;
  std::optional<Deadline::Clock::time_point> armed_;
  std::vector<std::byte> scratch_;

  std::jthread thread_;
};

EpollLoop::~EpollLoop() {
  thread_.request_stop();
  Wake();
  if (thread_.joinable()) thread_.join();
  // What is dropped may own things that post or cancel when they go.
  std::vector<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(tasks_);
  }
  dropped.clear();
  std::exchange(watches_, {}).clear();
}

Result<void> EpollLoop::Launch() {
  for (const int fd : {wake_.get(), timer_.get()}) {
    epoll_event event = Event(EPOLLIN, Token(0, fd));
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return ErrnoError(errno, "start the event loop: watch its own descriptors");
    }
  }
  try {
    thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  } catch (const std::system_error& error) {
    return ErrnoError(error.code().value(), "start the event loop: start its thread");
  }
  return Ok();
}

void EpollLoop::Run(const std::stop_token& stop) noexcept {
  // Signals are for the main thread; and a TLS library that writes to a closed connection must not
  // end the process by SIGPIPE.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_setname_np(pthread_self(), "io-loop");
  current_loop = this;
  while (!stop.stop_requested()) {
    beats_.fetch_add(1, std::memory_order_relaxed);
    RunTasks();
    RunTimers();
    ArmTimer();
    WaitForEvents();
  }
}

void EpollLoop::Wake() const {
  // EAGAIN means that the counter is full: the loop will wake up all the same.
  (void)::eventfd_write(wake_.get(), 1);
}

void EpollLoop::Post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    tasks_.push_back(std::move(task));
    if (tasks_.size() > 1) return;  // whoever made it non-empty has woken the loop
  }
  Wake();
}

void EpollLoop::RunTasks() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (std::function<void()>& task : tasks) {
    std::exchange(task, nullptr)();  // its captures go before the next task runs
  }
}

void EpollLoop::RunTimers() {
  if (!timers_.Next()) return;
  for (const TimerId timer : timers_.Due(Deadline::Clock::now(), kMaxTimers)) {
    if (const auto task = timers_.Take(timer)) task();
  }
}

void EpollLoop::ArmTimer() {
  const auto next = timers_.Next();
  if (next == armed_) return;
  itimerspec spec{};  // all zero disarms
  if (next) {
    // steady_clock is CLOCK_MONOTONIC. A time in the past fires at once.
    const auto due = std::max(next->time_since_epoch(), Deadline::Clock::duration{1});
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(due);
    spec.it_value.tv_sec = seconds.count();
    spec.it_value.tv_nsec = std::chrono::nanoseconds(due - seconds).count();
  }
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
  armed_ = next;
}

void EpollLoop::WaitForEvents() {
  std::array<epoll_event, kMaxEvents> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
  for (int i = 0; i < count; ++i) Dispatch(events.at(static_cast<std::size_t>(i)));
}

void EpollLoop::Dispatch(const epoll_event& event) {
  const int fd = static_cast<int>(event.data.u64 & 0xffffffffU);
  const auto generation = static_cast<std::uint32_t>(event.data.u64 >> 32U);
  if (generation == 0) {
    eventfd_t ignored = 0;  // a timerfd is read alike
    (void)::eventfd_read(fd, &ignored);
    if (fd == timer_.get()) armed_.reset();
    return;
  }
  const auto found = watches_.find(fd);
  if (found == watches_.end() || found->second->generation != generation) return;
  // Shared: the callback may remove its own watch.
  const std::shared_ptr<Watched> watched = found->second;
  // An earlier callback of this batch may have asked for less since.
  const std::uint32_t ready = event.events & (watched->events | EPOLLERR | EPOLLHUP);
  if (watched->events != 0 && ready != 0) watched->ready(ready);
}

Result<void> EpollLoop::Apply(int fd, Watched& watched) const {
  if (watched.events == 0) {
    if (std::exchange(watched.in_epoll, false)) {
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
    return Ok();
  }
  epoll_event event = Event(watched.events, Token(watched.generation, fd));
  const int action = watched.in_epoll ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll_.get(), action, fd, &event) != 0) {
    return ErrnoError(errno, "watch descriptor '" + std::to_string(fd) + "'");
  }
  watched.in_epoll = true;
  return Ok();
}

Result<void> EpollLoop::Watch(int fd, std::uint32_t events,
                              std::function<void(std::uint32_t)> ready) {
  if (watches_.contains(fd)) {
    return Fail(ErrorCode::kAlreadyExists,
                "watch descriptor '" + std::to_string(fd) + "': it is watched already");
  }
  if (++last_generation_ == 0) ++last_generation_;
  auto watched = std::make_shared<Watched>();
  watched->generation = last_generation_;
  watched->events = events;
  watched->ready = std::move(ready);
  TW_TRY(Apply(fd, *watched));
  watches_.emplace(fd, std::move(watched));
  return Ok();
}

Result<void> EpollLoop::Rearm(int fd, std::uint32_t events) {
  const auto found = watches_.find(fd);
  if (found == watches_.end()) {
    return Fail(ErrorCode::kNotFound,
                "watch descriptor '" + std::to_string(fd) + "': it is not watched");
  }
  if (found->second->events == events) return Ok();
  found->second->events = events;
  return Apply(fd, *found->second);
}

void EpollLoop::Unwatch(int fd) {
  const auto found = watches_.find(fd);
  if (found == watches_.end()) return;
  const std::shared_ptr<Watched> watched = std::move(found->second);
  watches_.erase(found);
  if (watched->in_epoll) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EpollLoop::CallAt(Deadline when, std::function<void()> task) {
  return timers_.Add(when, std::move(task));
}

std::span<std::byte> EpollLoop::Scratch() {
  if (scratch_.empty()) scratch_.resize(kScratchBytes);
  return scratch_;
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::Start() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return ErrnoError(errno, "start the event loop: epoll_create1");
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return ErrnoError(errno, "start the event loop: eventfd");
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return ErrnoError(errno, "start the event loop: timerfd_create");
  auto loop = std::make_unique<EpollLoop>(std::move(epoll), std::move(wake), std::move(timer));
  TW_TRY(loop->Launch());
  return loop;
}

}  // namespace tidewaiter::io
