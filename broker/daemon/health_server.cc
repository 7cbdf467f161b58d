#include "broker/daemon/health_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tidewaiter::daemon {
namespace {

constexpr std::chrono::milliseconds kWhenOutOfDescriptors(100);

bool IsShortage(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Result<std::unique_ptr<HealthServer>> HealthServer::Start(HealthSockets sockets,
                                                          const Settings& settings,
                                                          Reporter reporter) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return ErrnoError(errno, "start the answers to probes");
  struct Enabler : HealthServer {
    Enabler(HealthSockets s, const Settings& t, Reporter r, UniqueFd e)
        : HealthServer(std::move(s), t, std::move(r), std::move(e)) {}
  };
  return std::unique_ptr<HealthServer>(std::make_unique<Enabler>(
      std::move(sockets), settings, std::move(reporter), std::move(stop)));
}

HealthServer::HealthServer(HealthSockets sockets, const Settings& settings, Reporter reporter,
                           UniqueFd stop)
    : sockets_(std::move(sockets)),
      settings_(settings),
      reporter_(std::move(reporter)),
      stop_(std::move(stop)),
      thread_([this] { Loop(); }) {}

HealthServer::~HealthServer() {
  const std::uint64_t one = 1;
  // An eventfd that is empty takes a one.
  static_cast<void>(!::write(stop_.get(), &one, sizeof(one)));
  thread_.join();
}

void HealthServer::Loop() {
  const auto answer = [this](const std::string& head) { return AnswerProbe(head, reporter_()); };
  bool out_of_descriptors = false;
  std::vector<pollfd> waits;
  for (;;) {
    waits.assign({{stop_.get(), POLLIN, 0}});
    for (const HealthConnection& one : connections_) waits.push_back({one.fd(), one.events(), 0});
    const std::size_t listeners_at = waits.size();
    // Without descriptors accept4(2) fails while its socket stays ready.
    if (!out_of_descriptors) {
      if (sockets_.local) waits.push_back({sockets_.local->fd(), POLLIN, 0});
      if (sockets_.loopback) waits.push_back({sockets_.loopback.get(), POLLIN, 0});
    }
    if (::poll(waits.data(), waits.size(), PatienceMs(out_of_descriptors)) < 0 && errno != EINTR) {
      return;
    }
    if (waits[0].revents != 0) return;
    std::size_t at = 1;
    for (auto one = connections_.begin(); one != connections_.end(); ++at) {
      const bool over = waits[at].revents != 0 && !one->GoOn(answer);
      one = over ? connections_.erase(one) : std::next(one);
    }
    HangUpWhereLate();
    out_of_descriptors = false;
    for (at = listeners_at; at < waits.size(); ++at) {
      if (waits[at].revents != 0 && !Accept(waits[at].fd)) out_of_descriptors = true;
    }
  }
}

// What came with the connection is read at once: whoever opens many and says nothing does not push
// out one that asks.
bool HealthServer::Accept(int listener) {
  UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return !IsShortage(errno);
  if (connections_.size() >= settings_.max_connections) connections_.pop_front();
  connections_.emplace_back(std::move(socket), Deadline::After(settings_.deadline));
  const bool goes_on = connections_.back().GoOn(
      [this](const std::string& head) { return AnswerProbe(head, reporter_()); });
  if (!goes_on) connections_.pop_back();
  return true;
}

// All have the same time: the first to come is the first to be late.
void HealthServer::HangUpWhereLate() {
  while (!connections_.empty() && connections_.front().deadline().Passed()) {
    connections_.pop_front();
  }
}

int HealthServer::PatienceMs(bool out_of_descriptors) const {
  auto wait = Deadline::Clock::duration::max();
  if (!connections_.empty()) wait = connections_.front().deadline().Left();
  if (out_of_descriptors) wait = std::min<Deadline::Clock::duration>(wait, kWhenOutOfDescriptors);
  if (wait == Deadline::Clock::duration::max()) return -1;
  // Up, so that it does not wake just before.
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
}

}  // namespace tidewaiter::daemon
