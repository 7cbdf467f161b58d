#include "extract/carrier/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <limits>
#include <set>
#include <system_error>
#include <thread>

#include "base/unique_fd.h"
#include "extract/carrier/say.h"
#include "extract/directory_sink.h"
#include "extract/extraction.h"
#include "extract/plain_reader.h"

namespace tidewaiter::extract {
namespace {

// The parts' names, but for the kubelet's own ("..data"), to which theirs are links.
std::set<std::string> PartsIn(const std::string& folder, std::error_code& error) {
  std::set<std::string> names;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with('.')) names.insert(name);
  }
  return names;
}

bool Copy(int from, int to) {
  std::array<char, std::size_t{64} << 10U> buffer{};
  for (;;) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
    while (!rest.empty()) {
      const ssize_t written = ::write(to, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno == EPIPE;  // whoever reads says why it wants no more
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }
}

}  // namespace

int Unpack(const std::string& parts, const std::string& folder) {
  const auto fail = [&](const std::string& what) {
    return Say(kNotDone, "unpack into " + folder + ": " + what + ": " + std::strerror(errno));
  };
  std::error_code error;
  const std::set<std::string> names = PartsIn(parts, error);
  if (error) return Say(kNotDone, "list " + parts + ": " + error.message());
  ::umask(0);
  std::signal(SIGPIPE, SIG_IGN);
  if (::mkdir(folder.c_str(), 0755) != 0) return fail("make it");
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return fail("open it");
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail("make a pipe");
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);

  std::atomic<bool> read = true;
  std::thread feeder([&] {
    for (const std::string& name : names) {
      const UniqueFd part(::open((parts + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
      if (part && Copy(part.get(), writing.get())) continue;
      read = false;
      break;
    }
    writing.Reset();
  });
  // The broker has held it against the run's own limits, when it came.
  Limits limits;
  limits.max_bytes = std::numeric_limits<std::uint64_t>::max();
  limits.max_entries = std::numeric_limits<std::uint64_t>::max();
  DirectorySink sink(directory.get());
  PlainReader reader(reading.get(), limits);
  const Expected<Summary> done = Extract(reader, limits, sink);
  reading.Reset();
  feeder.join();
  if (!read) return Say(kNotDone, "unpack into " + folder + ": read " + parts);
  if (done) return 0;
  const Refusal& refusal = done.error();
  return Say(kNotDone, "unpack into " + folder + ": " + std::string(ToString(refusal.code)) + ": " +
                           refusal.message +
                           (refusal.entry.empty() ? "" : ": '" + refusal.entry + "'"));
}

}  // namespace tidewaiter::extract
