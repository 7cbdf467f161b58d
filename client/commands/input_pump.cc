#include "client/commands/input_pump.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <utility>

#include "base/printable.h"
#include "client/commands/files.h"
#include "extract/folder_packer.h"
#include "extract/tar_sink.h"

namespace tidewaiter::cli {

Result<std::vector<InputSource>> OpenInputs(const std::vector<ArchiveFlag>& inputs) {
  std::vector<InputSource> sources;
  bool stdin_taken = false;
  for (const ArchiveFlag& input : inputs) {
    const std::string what = fmt::format("open --input {}={}", input.name, Quoted(input.path));
    const bool is_stdin = input.path == "-";
    if (is_stdin && std::exchange(stdin_taken, true)) {
      return Fail(ErrorCode::kInvalidArgument, what + ": stdin can fill one input alone");
    }
    UniqueFd fd(is_stdin ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                         : ::open(input.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) return ErrnoError(errno, what);
    sources.push_back({.name = input.name,
                       .path = input.path,
                       .fd = std::move(fd),
                       .folder = S_ISDIR(status.st_mode)});
  }
  return sources;
}

InputPump::InputPump(std::vector<InputSource> sources, client::RunSession& session, Events events)
    : session_(session),
      events_(std::move(events)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      sent_(::eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([this, inputs = std::move(sources)] {
    for (const InputSource& source : inputs) {
      if (!Send(source)) return;
    }
    ::eventfd_write(sent_.get(), 1);
  });
}

InputPump::~InputPump() {
  stopping_ = true;
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

bool InputPump::Send(const InputSource& source) {
  bytes_ = 0;
  return (source.folder ? SendFolder(source) : SendFile(source)) && Write(source, {}, true);
}

bool InputPump::Write(const InputSource& source, std::string_view bytes, bool last) {
  if (stopping_ || !session_.WriteInput(source.name, bytes, last)) return false;
  bytes_ += bytes.size();
  events_.on_progress(source.name, bytes_);
  return true;
}

bool InputPump::SendFolder(const InputSource& source) {
  bool gone = false;  // the stream, which says for itself why
  extract::TarSink sink({}, [&](std::string_view piece) -> extract::Expected<void> {
    gone = !Write(source, piece, false);
    if (!gone) return {};
    return extract::Refuse(extract::Code::kWrite, "the run takes no more");
  });
  extract::PackOptions options;
  // How much is admitted is the policy's; the broker counts.
  options.limits.max_bytes = std::numeric_limits<std::uint64_t>::max();
  options.stopped = [this] { return stopping_.load(); };
  const auto packed = extract::PackFolder(source.fd.get(), options, sink);
  if (packed) return true;
  if (!gone && !stopping_) {
    const extract::Refusal& refusal = packed.error();
    events_.on_failure(fmt::format(
        "pack --input {}={}: {}{}: {}; remove it, or pack what is needed with tar and give the "
        "archive",
        source.name, Quoted(source.path), refusal.entry.empty() ? "" : "'" + refusal.entry + "': ",
        refusal.message, extract::ToString(refusal.code)));
  }
  return false;
}

bool InputPump::SendFile(const InputSource& source) {
  std::string buffer(extract::TarSink::kPieceBytes, '\0');
  while (AwaitReadable(source.fd.get(), stop_.get())) {
    const ssize_t got = ::read(source.fd.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) {
      events_.on_failure(
          ErrnoError(errno, fmt::format("read --input {}={}", source.name, Quoted(source.path)))
              .message);
      return false;
    }
    if (got == 0) return true;
    if (!Write(source, {buffer.data(), static_cast<std::size_t>(got)}, false)) return false;
  }
  return false;
}

}  // namespace tidewaiter::cli
