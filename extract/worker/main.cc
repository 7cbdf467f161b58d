// tidewaiter-extract: one archive, from stdin into the directory on descriptor 3, with a report on
// descriptor 4 (extract/report.h). It is started by tidewaiter and tidewaiterd, not by people; it
// gives up everything else before it reads the first byte. One thread reads and decompresses, a
// second writes. Exit status: 0 accepted, 1 refused, 2 it could not begin.
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "extract/directory_sink.h"
#include "extract/extraction.h"
#include "extract/report.h"
#include "extract/sandbox.h"
#include "extract/tar_reader.h"
#include "extract/worker/descriptors.h"
#include "extract/write_behind.h"

namespace tidewaiter::extract {
namespace {

constexpr int kCannotBegin = 2;
constexpr std::chrono::seconds kPatience(10);  // with who does not read the report
constexpr std::size_t kStackBytes = std::size_t{256} << 10U;

int FailToBegin(const std::string& why) {
  std::fprintf(stderr, "tidewaiter-extract: %s\n", why.c_str());
  return kCannotBegin;
}

template <typename Number>
bool Parse(std::string_view text, Number& number, Number least = 1) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= least;
}

// True where all of it was taken. The pipe does not block (Main): progress is dropped where nobody
// reads. How it ended is waited for, though not for ever.
enum class Urgency { kProgress, kEnd };
bool Say(const std::string& text, Urgency urgency) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(kReportFd, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    pollfd wait{.fd = kReportFd, .events = POLLOUT, .revents = 0};
    const timespec limit{.tv_sec = kPatience.count(), .tv_nsec = 0};
    if (errno != EAGAIN || urgency == Urgency::kProgress ||
        ::ppoll(&wait, 1, &limit, nullptr) != 1) {
      return false;
    }
  }
  return true;
}

Expected<Summary> Work(const Limits& limits, Sink& sink) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kProgressInterval(100);
  Clock::time_point next = Clock::now() + kProgressInterval;
  try {
    TarReader reader(STDIN_FILENO, limits);
    return Extract(reader, limits, sink, [&](const Summary& summary) {
      if (Clock::now() < next) return;
      next = Clock::now() + kProgressInterval;
      Say(FormatProgress(summary), Urgency::kProgress);
    });
  } catch (const std::bad_alloc&) {
    return Refuse(Code::kMemory, "it needs more memory than the worker may have");
  }
}

// What a thread takes by default, 8 MiB of stack and an arena of its own, would count as memory
// that the archive cannot have.
void PrepareForThreads() {
  ::mallopt(M_ARENA_MAX, 1);
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  ::pthread_setattr_default_np(&attributes);
  ::pthread_attr_destroy(&attributes);
}

int Main(int argc, const char* const* argv) {
  Limits limits;
  // Numbers alone, in this order: there is nothing that anybody types.
  if (argc != 6 || !Parse(argv[1], limits.max_bytes, std::uint64_t{0}) ||
      !Parse(argv[2], limits.max_entries) || !Parse(argv[3], limits.max_depth) ||
      !Parse(argv[4], limits.max_path) || !Parse(argv[5], limits.max_ratio)) {
    return FailToBegin(
        "started by tidewaiter and tidewaiterd, not by hand: see 'tidewaiter extract --help'");
  }
  // Without who started it nobody hears the report, nor removes what was extracted.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::umask(0);
  // libarchive converts PAX names to the locale's character set.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) return FailToBegin("no locale C.UTF-8");
  if (::close_range(kReportFd + 1, ~0U, 0) != 0) return FailToBegin("close what is open");
  // Lines are shorter than what a pipe takes or leaves as a whole (pipe(7), PIPE_BUF).
  if (::fcntl(kReportFd, F_SETFL, O_NONBLOCK) != 0) return FailToBegin("prepare the report");
  PrepareForThreads();
  DirectorySink folders(kDirectoryFd);
  DirectorySink files(kDirectoryFd);
  DirectorySink more_files(kDirectoryFd);
  std::optional<WriteBehind> sink;
  SandboxLimits sandbox;
  sandbox.file_bytes = limits.max_bytes;
  // DirectorySink's end goes down to the deepest folder, of a path that the kernel takes.
  sandbox.open_files += std::min<std::uint64_t>(limits.max_depth, PATH_MAX / 2);
  const auto entered = EnterSandbox(kDirectoryFd, sandbox, [&] {
    sink.emplace(folders, std::vector<Sink*>{&files, &more_files});
  });
  if (!entered) {
    Say(FormatEnd(Refuse(Code::kWorker, entered.error().message)), Urgency::kEnd);
    ::_exit(kCannotBegin);
  }
  const Expected<Summary> end = Work(limits, *sink);
  const bool said = Say(FormatEnd(end), Urgency::kEnd);
  // The writing threads go with the process: to join them would take system calls that are gone.
  ::_exit(end && said ? 0 : 1);
}

}  // namespace
}  // namespace tidewaiter::extract

int main(int argc, char** argv) {
  return tidewaiter::extract::Main(argc, argv);
}
