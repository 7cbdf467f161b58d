#include "broker/rpc/peer_process.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "base/printable.h"
#include "base/unique_fd.h"

// Linux 6.5; missing in the headers of Debian 12.
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace tidewaiter::rpc {
namespace {

constexpr std::size_t kMaxExecutable = 1024;
constexpr int kStartField = 22;

std::string_view NextField(std::string_view& text) {
  const std::size_t begin = text.find_first_not_of(" \n");
  if (begin == std::string_view::npos) return text = {};
  text.remove_prefix(begin);
  const std::string_view field = text.substr(0, text.find_first_of(" \n"));
  text.remove_prefix(field.size());
  return field;
}

// Neither /proc/PID/stat nor /proc/PID/exe waits for a lock that the process can hold for long, as
// /proc/PID/cmdline does.
std::string ReadStat(int process) {
  // Fifty numbers and a name of at most 64 bytes.
  std::array<char, 4096> bytes{};
  const UniqueFd fd(::openat(process, "stat", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  ssize_t n = -1;
  do {
    n = ::read(fd.get(), bytes.data(), bytes.size());
  } while (n < 0 && errno == EINTR);
  return n <= 0 ? std::string() : std::string(bytes.data(), static_cast<std::size_t>(n));
}

// Empty where the process is not ours to look at (ptrace(2), PTRACE_MODE_READ_FSCREDS).
std::string ReadProgram(int process) {
  std::array<char, PATH_MAX> path{};
  const ssize_t n = ::readlinkat(process, "exe", path.data(), path.size());
  return n <= 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(n));
}

// A pidfd can be read once its process has ended (pidfd_open(2)).
bool HasEnded(int pidfd) {
  pollfd wait{.fd = pidfd, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 0) != 0;
}

}  // namespace

PeerProcess ParseStat(std::string_view text) {
  PeerProcess process;
  const std::size_t begin = text.find('(');
  const std::size_t end = text.rfind(')');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  const std::string name(text.substr(begin + 1, end - begin - 1));
  text.remove_prefix(end + 1);
  std::string_view field;
  for (int i = 3; i <= kStartField; ++i) field = NextField(text);
  std::uint64_t start = 0;
  const auto [rest, error] = std::from_chars(field.data(), field.data() + field.size(), start);
  if (field.empty() || error != std::errc() || rest != field.data() + field.size()) return {};
  process.start = start;
  if (!name.empty()) process.executable = '[' + Printable(name, kMaxExecutable) + ']';
  return process;
}

PeerProcess ReadProcess(int proc, pid_t pid) {
  if (pid <= 0) return {};  // of another pid namespace
  // One process for both: what is asked of its folder after its end fails, whoever has the pid.
  const UniqueFd folder(
      ::openat(proc, std::to_string(pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder) return {};
  PeerProcess process = ParseStat(ReadStat(folder.get()));
  if (!process.start) return {};
  if (const std::string program = ReadProgram(folder.get()); !program.empty()) {
    process.executable = Printable(program, kMaxExecutable);
  }
  return process;
}

PeerProcess ReadPeerProcess(int socket, pid_t pid) {
  int number = -1;
  socklen_t size = sizeof(number);
  // Of an older kernel, or a peer that was reaped: errno tells them apart.
  const bool known = ::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &number, &size) == 0;
  if (!known && errno != ENOPROTOOPT) return {};
  const UniqueFd pidfd(known ? number : -1);
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  PeerProcess process = ReadProcess(proc.get(), pid);
  // While it lives nobody else has its pid. An older kernel leaves a moment between connect(2) and
  // here in which it may have been given away.
  if (known && HasEnded(pidfd.get())) return {};
  return process;
}

}  // namespace tidewaiter::rpc
