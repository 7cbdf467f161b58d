#include "broker/files/input_unpacking.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/printable.h"
#include "broker/files/ownership.h"

namespace tidewaiter::files {
namespace {

// What a file or folder takes of a disk besides its content: an inode, a name, a block of a folder.
constexpr std::uint64_t kEntryBytes = 4096;

Error CannotBegin(const std::string& name, const std::string& cause) {
  return Fail(ErrorCode::kInternal, fmt::format("unpack input {}: {}", Quoted(name), cause),
              "INPUT_FAILED");
}

}  // namespace

Result<std::unique_ptr<InputUnpacking>> InputUnpacking::Start(
    const std::string& worker, UniqueFd inputs, const std::string& name, const policy::UserId& user,
    const extract::Limits& limits, Hooks hooks) {
  const auto errno_error = [&name] {
    return CannotBegin(name, ErrnoError(errno, "make its folder").message);
  };
  if (::mkdirat(inputs.get(), name.c_str(), 0700) != 0) return errno_error();
  const UniqueFd folder(
      ::openat(inputs.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  // Whatever the umask.
  if (!folder || ::fchmod(folder.get(), 0755) != 0) return errno_error();
  auto started = extract::WorkerProcess::StartFed(worker, folder.get(), limits);
  if (!started) return CannotBegin(name, started.error().message);
  return std::unique_ptr<InputUnpacking>(new InputUnpacking(std::move(inputs), name, user, limits,
                                                            *std::move(started), std::move(hooks)));
}

Result<void> InputUnpacking::Write(const SharedBytes& piece, const run::Patience& patience) {
  TW_TRY(hooks_.check_room());
  for (const std::string_view part : piece.parts()) hash_.Add(part);
  archive_bytes_ += piece.size();
  if (auto fed = worker_.Feed(piece, patience.stop, patience.deadline); fed) return Ok();
  // It has ended before the archive: it says why.
  auto end = worker_.Wait(patience.stop, {}, patience.deadline);
  if (!end) return Refused(end.error(), patience);
  return CannotBegin(name_, "the worker accepted an archive that had not ended");
}

Result<run::ArchiveSummary> InputUnpacking::Finish(const run::Patience& patience) {
  worker_.CloseInput();
  auto end = worker_.Wait(patience.stop, {}, patience.deadline);
  if (!end) return Refused(end.error(), patience);
  const auto given = GiveTree(inputs_.get(), name_, user_, limits_, patience.deadline);
  if (!given) return CannotBegin(name_, given.error().message);
  // As it lies there: the worker counts no folders that the archive does not list, and may have
  // been taken over.
  hooks_.on_done(given->bytes + given->entries * kEntryBytes);
  return run::ArchiveSummary{.entries = end->entries,
                             .bytes = end->bytes,
                             .archive_bytes = archive_bytes_,
                             .sha256 = hash_.Finish()};
}

Error InputUnpacking::Refused(const extract::Refusal& refusal, const run::Patience& patience) {
  if (patience.stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, "unpack input " + Quoted(name_) + ": the run was stopped");
  }
  if (patience.deadline.Passed()) {
    return Fail(ErrorCode::kDeadlineExceeded,
                "unpack input " + Quoted(name_) + ": not done in time", "INPUT_STALLED");
  }
  if (refusal.code == extract::Code::kWorker || refusal.code == extract::Code::kWrite) {
    // Which is what ended a worker that was watched, and why one could not write.
    if (auto room = hooks_.check_room(); !room) return room.error();
    return CannotBegin(name_, refusal.message);
  }
  code_ = extract::ToString(refusal.code);
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("unpack input {}: refused: {}: {}{}", Quoted(name_),
                          extract::ToString(refusal.code), refusal.message,
                          refusal.entry.empty() ? "" : ": '" + refusal.entry + "'"),
              "INPUT_REFUSED");
}

}  // namespace tidewaiter::files
