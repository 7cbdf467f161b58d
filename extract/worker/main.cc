// tidewaiter-extract: one archive, from stdin into the directory on descriptor 3, with a report on
// descriptor 4 (extract/report.h). It is started by tidewaiter and tidewaiterd, not by people; it
// gives up everything else before it reads the first byte. Exit status: 0 accepted, 1 refused, 2 it
// could not begin.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>
#include <string_view>

#include "extract/directory_sink.h"
#include "extract/extraction.h"
#include "extract/report.h"
#include "extract/sandbox.h"
#include "extract/worker/descriptors.h"

namespace tidewaiter::extract {
namespace {

constexpr int kCannotBegin = 2;

int FailToBegin(const std::string& why) {
  std::fprintf(stderr, "tidewaiter-extract: %s\n", why.c_str());
  return kCannotBegin;
}

template <typename Number>
bool Parse(std::string_view text, Number& number, Number least = 1) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= least;
}

// Where it fails nobody listens any more, and what was extracted is of no use.
bool Say(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(kReportFd, rest.data(), rest.size());
    if (written <= 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Expected<Summary> Work(const Limits& limits) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kProgressInterval(100);
  DirectorySink sink(kDirectoryFd);
  Clock::time_point next = Clock::now() + kProgressInterval;
  try {
    return Extract(STDIN_FILENO, limits, sink, [&](const Summary& summary) {
      if (Clock::now() < next) return;
      next = Clock::now() + kProgressInterval;
      Say(FormatProgress(summary));
    });
  } catch (const std::bad_alloc&) {
    return Refuse(Code::kMemory, "it needs more memory than the worker may have");
  }
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
  SandboxLimits sandbox;
  sandbox.file_bytes = limits.max_bytes;
  if (const auto entered = EnterSandbox(kDirectoryFd, sandbox); !entered) {
    Say(FormatEnd(Refuse(Code::kWorker, entered.error().message)));
    return kCannotBegin;
  }
  const Expected<Summary> end = Work(limits);
  const bool said = Say(FormatEnd(end));
  return end && said ? 0 : 1;
}

}  // namespace
}  // namespace tidewaiter::extract

int main(int argc, char** argv) {
  return tidewaiter::extract::Main(argc, argv);
}
