#include "extract/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "extract/worker/descriptors.h"

namespace tidewaiter::extract {
namespace {

// Above every number that a descriptor gets in the worker.
constexpr int kOutOfTheWay = 10;
// Of the pipe to a fed worker: it reads ahead while its owner waits for the next bytes.
constexpr int kInputBytes = 1 << 20;
// In one call; a piece has more of them only where somebody cut it into small ones.
constexpr std::size_t kMostParts = 64;

tl::unexpected<Refusal> Failed(std::string_view what, int error) {
  return Refuse(Code::kWorker,
                fmt::format("start tidewaiter-extract: {}: {}", what, std::strerror(error)));
}

UniqueFd Away(int fd) {
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay));
}

// For poll(2): until the deadline, or somebody is to be asked again whether to go on.
int NextLook(Deadline deadline) {
  constexpr std::chrono::milliseconds kMost = std::chrono::seconds(1);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.Left());
  return static_cast<int>(std::min(left, kMost).count());
}

std::string DescribeEnd(const siginfo_t& end) {
  if (end.si_code == CLD_EXITED) {
    return fmt::format("the worker ended with status {} and did not say why", end.si_status);
  }
  // What the sandbox does to a system call that it forbids.
  if (end.si_status == SIGSYS) return "the worker tried what it may not do, and was killed";
  if (end.si_status == SIGXCPU) return "the worker was killed: its processor time is over";
  return fmt::format("the worker was killed by signal {}", end.si_status);
}

}  // namespace

Expected<WorkerProcess> WorkerProcess::StartFed(const std::string& program, int directory,
                                                const Limits& limits) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return Failed("make a pipe", errno);
  const UniqueFd archive(pipe[0]);
  UniqueFd input(pipe[1]);
  // The kernel's bounds for one user may forbid it; the pipe is slower then.
  ::fcntl(input.get(), F_SETPIPE_SZ, kInputBytes);
  if (::fcntl(input.get(), F_SETFL, O_NONBLOCK) != 0) return Failed("prepare a pipe", errno);
  auto started = Start(program, archive.get(), directory, limits);
  if (started) started->input_ = std::move(input);
  return started;
}

Expected<WorkerProcess> WorkerProcess::Start(const std::string& program, int archive, int directory,
                                             const Limits& limits) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return Failed("make a pipe", errno);
  UniqueFd reader(pipe[0]);
  const UniqueFd writer = Away(UniqueFd(pipe[1]).get());
  const UniqueFd from = Away(archive);
  const UniqueFd into = Away(directory);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const UniqueFd away = Away(null.get());
  if (!writer || !from || !into || !away) return Failed("prepare descriptors", errno);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  int failed = 0;
  for (const auto& [fd, target] :
       std::initializer_list<std::pair<int, int>>{{from.get(), STDIN_FILENO},
                                                  {away.get(), STDOUT_FILENO},
                                                  {away.get(), STDERR_FILENO},
                                                  {into.get(), kDirectoryFd},
                                                  {writer.get(), kReportFd}}) {
    failed |= ::posix_spawn_file_actions_adddup2(&actions, fd, target);
  }
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  // This program may block signals that must reach the worker, and ignore SIGPIPE.
  sigset_t none{};
  sigset_t defaults{};
  ::sigemptyset(&none);
  ::sigfillset(&defaults);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  // A process group of its own: the terminal's Ctrl-C is for who started it.
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> words{program,
                                 fmt::format("{}", limits.max_bytes),
                                 fmt::format("{}", limits.max_entries),
                                 fmt::format("{}", limits.max_depth),
                                 fmt::format("{}", limits.max_path),
                                 fmt::format("{}", limits.max_ratio)};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::array<char*, 1> environment{nullptr};
  pid_t pid = -1;
  if (failed == 0) {
    failed = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(),
                           environment.data());
  }
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Failed(program, failed);
  // Nobody has waited for it yet, so the number is still its own.
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) {
    const int error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return Failed("watch it", error);
  }
  return WorkerProcess(std::move(process), std::move(reader), limits);
}

WorkerProcess::~WorkerProcess() {
  if (!process_) return;
  Kill();
  Reap();
}

void WorkerProcess::Kill() const {
  ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
}

siginfo_t WorkerProcess::Reap() {
  siginfo_t end{};
  while (::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &end, WEXITED) < 0 &&
         errno == EINTR) {
  }
  return end;
}

WorkerProcess::Event WorkerProcess::Await(Deadline deadline) const {
  std::array<pollfd, 2> waits{{{report_.get(), POLLIN, 0}, {input_.get(), POLLOUT, 0}}};
  while (true) {
    if (!MayGoOn(deadline)) return Event::kDeadline;
    // A closed input's -1 is passed over (poll(2)).
    const int ready = ::poll(waits.data(), waits.size(), NextLook(deadline));
    // Errors and ends count as ready: the read or the write tells.
    if (ready > 0) return waits[0].revents != 0 ? Event::kReport : Event::kInput;
  }
}

bool WorkerProcess::AwaitEnd(Deadline deadline) const {
  pollfd ended{.fd = process_.get(), .events = POLLIN, .revents = 0};
  while (::poll(&ended, 1, NextLook(deadline)) <= 0) {
    if (!MayGoOn(deadline)) return false;
  }
  return true;
}

bool WorkerProcess::TakeReport() {
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  do {
    got = ::read(report_.get(), buffer.data(), buffer.size());
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  sound_ = sound_ && reader_.Feed({buffer.data(), static_cast<std::size_t>(got)});
  return sound_;
}

// vmsplice(2): the pipe refers to the bytes' own pages, which saves this process a copy of all that
// it passes on.
bool WorkerProcess::Lend(std::vector<std::string_view>& parts) {
  std::array<iovec, kMostParts> vectors{};
  const std::size_t count = std::min(parts.size(), vectors.size());
  for (std::size_t i = 0; i < count; ++i) {
    // The kernel reads them only, whatever the type says.
    vectors[i] = {.iov_base = const_cast<char*>(parts[i].data()), .iov_len = parts[i].size()};
  }
  const ssize_t lent = ::vmsplice(input_.get(), vectors.data(), count, SPLICE_F_NONBLOCK);
  if (lent < 0) return errno == EAGAIN || errno == EINTR;
  fed_ += static_cast<std::uint64_t>(lent);
  auto left = static_cast<std::size_t>(lent);
  auto part = parts.begin();
  for (; left > 0 && left >= part->size(); ++part) left -= part->size();
  if (left > 0) part->remove_prefix(left);
  parts.erase(parts.begin(), part);
  return true;
}

void WorkerProcess::Release() {
  int unread = 0;
  if (::ioctl(input_.get(), FIONREAD, &unread) != 0) return;
  const std::uint64_t read = fed_ - static_cast<std::uint64_t>(unread);
  while (!lent_.empty() && lent_.front().end <= read) lent_.pop_front();
}

Expected<void> WorkerProcess::Feed(SharedBytes bytes, const std::stop_token& stop,
                                   Deadline deadline) {
  // What is killed closes its end of both pipes.
  const std::stop_callback<std::function<void()>> kill(stop, [this] { Kill(); });
  Release();
  std::vector<std::string_view> parts = bytes.parts();
  const std::uint64_t end = fed_ + bytes.size();
  lent_.push_back({.bytes = std::move(bytes), .end = end});
  while (!parts.empty()) {
    // At its end the worker has nothing left to read, and the archive has.
    bool ended = reader_.end().has_value();
    switch (ended ? Event::kReport : Await(deadline)) {
      case Event::kDeadline: Kill(); return Refuse(Code::kWorker, "the extraction took too long");
      case Event::kReport: ended = ended || !TakeReport(); break;
      case Event::kInput: ended = !Lend(parts); break;
    }
    if (stop.stop_requested()) return Refuse(Code::kWorker, "the extraction was stopped");
    if (ended) return Refuse(Code::kWorker, "the worker ended before its archive");
  }
  return {};
}

Expected<Summary> WorkerProcess::Wait(const std::stop_token& stop,
                                      const std::function<void(const Summary&)>& on_progress,
                                      Deadline deadline) {
  std::optional<std::stop_callback<std::function<void()>>> kill(std::in_place, stop,
                                                                [this] { Kill(); });
  CloseInput();
  bool in_time = true;
  while (sound_ && in_time) {
    in_time = Await(deadline) != Event::kDeadline;
    if (!in_time || !TakeReport()) break;
    if (on_progress) on_progress(reader_.progress());
  }
  in_time = in_time && (!sound_ || AwaitEnd(deadline));
  if (!sound_ || !in_time) Kill();
  const siginfo_t status = Reap();
  kill.reset();
  process_.Reset();
  if (!sound_) return Refuse(Code::kWorker, "the worker said what it cannot mean");
  if (stop.stop_requested()) return Refuse(Code::kWorker, "the extraction was stopped");
  if (!in_time) return Refuse(Code::kWorker, "the extraction took too long");
  const bool accepted = status.si_code == CLD_EXITED && status.si_status == 0;
  if (!reader_.end() || (*reader_.end() && !accepted)) {
    return Refuse(Code::kWorker, DescribeEnd(status));
  }
  const Expected<Summary>& end = *reader_.end();
  if (end && (end->bytes > limits_.max_bytes || end->entries > limits_.max_entries)) {
    return Refuse(Code::kWorker, "the worker says that it took more than it may");
  }
  return end;
}

std::string WorkerBesideThisProgram() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "tidewaiter-extract").string();
}

}  // namespace tidewaiter::extract
