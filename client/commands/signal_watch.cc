#include "client/commands/signal_watch.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

namespace tidewaiter::cli {
namespace {

void Watch(int signal_fd, int stop_fd, const std::function<void(int)>& on_signal) {
  std::array<pollfd, 2> waits = {{{signal_fd, POLLIN, 0}, {stop_fd, POLLIN, 0}}};
  while (true) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
    if (waits[1].revents != 0) return;
    signalfd_siginfo info{};
    if (waits[0].revents != 0 && ::read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
      on_signal(static_cast<int>(info.ssi_signo));
    }
  }
}

}  // namespace

Result<SignalWatch> SignalWatch::Start(std::function<void(int)> on_signal) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    // What the caller ignores (nohup, a shell's background job) stays ignored: a blocked signal
    // would be read here all the same.
    struct sigaction inherited {};
    ::sigaction(number, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) sigaddset(&signals, number);
  }
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &signals, nullptr); error != 0) {
    return ErrnoError(error, "block signals");
  }
  UniqueFd signal_fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signal_fd) return ErrnoError(errno, "watch signals");
  SignalWatch watch;
  watch.stop_.Reset(::eventfd(0, EFD_CLOEXEC));
  if (!watch.stop_) return ErrnoError(errno, "watch signals");
  watch.thread_ = std::thread(
      [signal_fd = std::move(signal_fd), stop_fd = watch.stop_.get(),
       on_signal = std::move(on_signal)] { Watch(signal_fd.get(), stop_fd, on_signal); });
  return watch;
}

SignalWatch::~SignalWatch() {
  if (!thread_.joinable()) return;
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

}  // namespace tidewaiter::cli
