#include "client/commands/stdin_pump.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "client/commands/files.h"

namespace tidewaiter::cli {
namespace {

void Pump(int fd, int stop_fd, client::RunSession& session) {
  std::vector<char> buffer(client::RunSession::kStdinChunk);
  while (AwaitReadable(fd, stop_fd)) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    // An input that cannot be read any more ends as one that is read to its end.
    if (got <= 0) return session.CloseStdin();
    if (!session.WriteStdin({buffer.data(), static_cast<std::size_t>(got)})) return;
  }
}

}  // namespace

Result<StdinPump> StdinPump::Start(int fd, client::RunSession& session, int after) {
  StdinPump pump;
  pump.stop_.Reset(::eventfd(0, EFD_CLOEXEC));
  if (!pump.stop_) return ErrnoError(errno, "forward stdin");
  pump.thread_ = std::thread([fd, after, stop_fd = pump.stop_.get(), &session] {
    if (after < 0 || AwaitReadable(after, stop_fd)) Pump(fd, stop_fd, session);
  });
  return pump;
}

StdinPump::~StdinPump() {
  if (!thread_.joinable()) return;
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

}  // namespace tidewaiter::cli
