#include "client/commands/stdin_pump.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

namespace tidewaiter::cli {
namespace {

void Pump(int fd, int stop_fd, client::RunSession& session) {
  std::vector<char> buffer(client::RunSession::kStdinChunk);
  std::array<pollfd, 2> waits = {{{fd, POLLIN, 0}, {stop_fd, POLLIN, 0}}};
  while (true) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) break;
    if (waits[1].revents != 0) return;
    if (waits[0].revents == 0) continue;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    // An input that cannot be read any more ends as one that is read to its end.
    if (got <= 0) break;
    if (!session.WriteStdin({buffer.data(), static_cast<std::size_t>(got)})) return;
  }
  session.CloseStdin();
}

}  // namespace

Result<StdinPump> StdinPump::Start(int fd, client::RunSession& session) {
  StdinPump pump;
  pump.stop_.Reset(::eventfd(0, EFD_CLOEXEC));
  if (!pump.stop_) return ErrnoError(errno, "forward stdin");
  pump.thread_ =
      std::thread([fd, stop_fd = pump.stop_.get(), &session] { Pump(fd, stop_fd, session); });
  return pump;
}

StdinPump::~StdinPump() {
  if (!thread_.joinable()) return;
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

}  // namespace tidewaiter::cli
