#include "extract/carrier/pack.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/unique_fd.h"
#include "extract/carrier/hold.h"
#include "extract/carrier/say.h"
#include "extract/folder_packer.h"
#include "extract/omission_lines.h"
#include "extract/tar_sink.h"

namespace tidewaiter::extract {
namespace {

Expected<void> WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Refuse(Code::kWrite, std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// Waits for the end of stdin, or for a byte of it. Where the connection hangs, neither comes: the
// pod's grace and deadline end this, as they end `hold`.
bool IsAcknowledged() {
  char byte = 0;
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got >= 0 || errno != EINTR) return got == 1;
  }
}

}  // namespace

int Pack(const std::string& folder, const std::string& max_bytes, bool last) {
  PackOptions options;
  const auto most = ParseNumber<std::uint64_t>(max_bytes);
  if (!most) return Say(kCannotBegin, "pack " + folder + ": " + max_bytes + " is no number");
  options.limits.max_bytes = *most;
  std::signal(SIGPIPE, SIG_IGN);
  std::uint64_t omitted = 0;
  options.on_omission = [&](const Omission& omission) {
    if (omitted++ >= kMaxListedOmissions) return;
    static_cast<void>(WriteAll(STDERR_FILENO, FormatOmission(omission)));
  };
  // What the job has closed to itself is its own, and this is the same user.
  options.reclaim = true;
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return Say(kNotDone, "pack " + folder + ": " + std::strerror(errno));
  std::uint64_t sent = 0;
  TarSink sink({}, [&sent](std::string_view piece) {
    sent += piece.size();
    return WriteAll(STDOUT_FILENO, piece);
  });
  const Expected<Summary> done = PackFolder(directory.get(), options, sink);
  if (!done) {
    const Refusal& refusal = done.error();
    return Say(kNotDone, "pack " + folder + ": " + std::string(ToString(refusal.code)) + ": " +
                             refusal.message +
                             (refusal.entry.empty() ? "" : ": '" + refusal.entry + "'"));
  }
  static_cast<void>(WriteAll(STDERR_FILENO, FormatSent(sent) + FormatPacked(*done, omitted)));
  if (last && IsAcknowledged()) Release();
  return 0;
}

}  // namespace tidewaiter::extract
