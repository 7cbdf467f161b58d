#include "broker/files/archive_unpacking.h"

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

std::string What(const ArchiveUnpacking::Words& words, const std::string& name) {
  return "unpack " + words.noun + " " + Quoted(name);
}

Error CannotBegin(const ArchiveUnpacking::Words& words, const std::string& name,
                  const std::string& cause) {
  return Fail(ErrorCode::kInternal, What(words, name) + ": " + cause, words.reason + "_FAILED");
}

}  // namespace

Result<std::unique_ptr<ArchiveUnpacking>> ArchiveUnpacking::Start(const std::string& worker,
                                                                  Words words, Place place,
                                                                  const extract::Limits& limits,
                                                                  Hooks hooks) {
  const std::string& name = place.name;
  const int parent = place.parent.get();
  const auto errno_error = [&] {
    return CannotBegin(words, name, ErrnoError(errno, "make its folder").message);
  };
  if (::mkdirat(parent, name.c_str(), 0700) != 0) return errno_error();
  const UniqueFd folder(
      ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  // Whatever the umask.
  if (!folder || ::fchmod(folder.get(), 0755) != 0) return errno_error();
  auto started = extract::WorkerProcess::StartFed(worker, folder.get(), limits);
  if (!started) return CannotBegin(words, name, started.error().message);
  return std::unique_ptr<ArchiveUnpacking>(new ArchiveUnpacking(
      std::move(words), std::move(place), limits, *std::move(started), std::move(hooks)));
}

Result<void> ArchiveUnpacking::Write(const SharedBytes& piece, const run::Patience& patience) {
  TW_TRY(hooks_.check_room());
  for (const std::string_view part : piece.parts()) hash_.Add(part);
  archive_bytes_ += piece.size();
  if (auto fed = worker_.Feed(piece, patience.stop, patience.deadline); fed) return Ok();
  // It has ended before the archive: it says why.
  auto end = worker_.Wait(patience.stop, {}, patience.deadline);
  if (!end) return Refused(end.error(), patience);
  return CannotBegin(words_, place_.name, "the worker accepted an archive that had not ended");
}

Result<run::ArchiveSummary> ArchiveUnpacking::Finish(const run::Patience& patience) {
  worker_.CloseInput();
  auto end = worker_.Wait(patience.stop, {}, patience.deadline);
  if (!end) return Refused(end.error(), patience);
  const auto given =
      GiveTree(place_.parent.get(), place_.name, place_.user, limits_, patience.deadline);
  if (!given) return CannotBegin(words_, place_.name, given.error().message);
  // As it lies there: the worker counts no folders that the archive does not list, and may have
  // been taken over.
  hooks_.on_done(given->bytes + given->entries * kEntryBytes);
  return run::ArchiveSummary{.entries = end->entries,
                             .bytes = end->bytes,
                             .archive_bytes = archive_bytes_,
                             .sha256 = hash_.Finish()};
}

Error ArchiveUnpacking::Refused(const extract::Refusal& refusal, const run::Patience& patience) {
  const std::string what = What(words_, place_.name);
  if (patience.stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, what + ": the run was stopped");
  }
  if (patience.deadline.Passed()) {
    return Fail(ErrorCode::kDeadlineExceeded, what + ": not done in time",
                words_.reason + "_STALLED");
  }
  if (refusal.code == extract::Code::kWorker || refusal.code == extract::Code::kWrite) {
    // Which is what ended a worker that was watched, and why one could not write.
    if (auto room = hooks_.check_room(); !room) return room.error();
    return CannotBegin(words_, place_.name, refusal.message);
  }
  code_ = extract::ToString(refusal.code);
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("{}: refused: {}: {}{}", what, code_, refusal.message,
                          refusal.entry.empty() ? "" : ": '" + refusal.entry + "'"),
              words_.reason + "_REFUSED");
}

}  // namespace tidewaiter::files
