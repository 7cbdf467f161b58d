#include "broker/journal/directory_journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>  // renameat2
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/durable_file.h"
#include "base/printable.h"
#include "base/remove_tree.h"
#include "broker/journal/entry_format.h"
#include "broker/journal/result_format.h"
#include "broker/journal/sealed_file.h"

namespace tidewaiter::journal {
namespace {

constexpr char kEntryName[] = "run.pb";
constexpr char kFreshEntryName[] = "run.pb.new";
constexpr char kResultName[] = "result.pb";
// The result of a kept run whose removal has begun; empty once everything else is gone.
constexpr char kRemovedName[] = "removed.pb";
constexpr char kFreshResultName[] = "result.pb.new";
constexpr char kReasonSuffix[] = ".reason";
constexpr std::size_t kMaxNames = 100'000;

bool IsOwnFile(const std::string& name) {
  return name == kEntryName || name == kFreshEntryName || name == kResultName ||
         name == kRemovedName || name == kFreshResultName || name == run::kLogFile;
}

// What of a kept run goes last: all that is left once its removal is to be recorded.
bool OutlivesItsFiles(const std::string& name) {
  return name == kEntryName || name == kRemovedName;
}

bool IsFilesFolder(const std::string& name) {
  return name == run::kInputsFolder || name == run::kOutputsFolder || name == run::kArchivesFolder;
}

Error Failed(const char* verb, const std::string& name) {
  const int error = errno;
  return ErrnoError(error, std::string(verb) + " " + Quoted(name));
}

Result<UniqueFd> OpenRunFolder(int runs, const std::string& name) {
  UniqueFd fd(::openat(runs, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return Failed("open run directory", name);
  return fd;
}

Result<void> CheckRunId(const RunId& run_id) {
  if (IsRandomId(run_id.value())) return Ok();
  return Fail(ErrorCode::kInvalidArgument,
              "open journal of run " + Quoted(run_id.value()) + ": no run id");
}

// The names in a folder, sorted, without "." and "..".
Result<std::vector<std::string>> ListNames(int folder, const std::string& what) {
  // An open file of its own: a duplicate would share the position.
  const int fd = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed("open", what);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd), &::closedir);
  if (!entries) {
    const Error error = Failed("list", what);
    ::close(fd);
    return error;
  }
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(entries.get());
    if (entry == nullptr && errno != 0) return Failed("list", what);
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() >= kMaxNames) {
      return Fail(ErrorCode::kResourceExhausted, "list " + Quoted(what) + ": too many entries");
    }
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool Holds(int folder, const char* name) {
  struct stat status {};
  return ::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

// The names in a run's folder; an error where one is none of the broker's: it is left alone then.
Result<std::vector<std::string>> ListOwn(int folder, const std::string& run_id) {
  TW_ASSIGN(std::vector<std::string> names, ListNames(folder, run_id));
  for (const std::string& name : names) {
    if (IsOwnFile(name) || IsFilesFolder(name)) continue;
    return Fail(ErrorCode::kFailedPrecondition,
                "remove run directory " + Quoted(run_id) + ": it holds " + Quoted(name));
  }
  return names;
}

Result<void> RemoveTrees(int folder, const std::vector<std::string>& names, Deadline deadline) {
  for (const std::string& name : names) {
    if (!IsFilesFolder(name)) continue;
    TW_TRY(RemoveTree(folder, name, {.deadline = deadline, .reclaim = true}));
  }
  return Ok();
}

Result<void> RemoveFile(int folder, const std::string& name) {
  if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) return Ok();
  return Failed("remove", name);
}

// Of a kept run: from when this returns on, a crash included, it is given to nobody.
Result<void> MarkRemoved(int folder, const std::string& run_id) {
  if (::renameat(folder, kResultName, folder, kRemovedName) != 0) {
    if (errno != ENOENT) return Failed("mark as removed", run_id);
    if (!Holds(folder, kRemovedName)) return CreateDurably(folder, kRemovedName, {});
  }
  if (::fsync(folder) != 0) return Failed("sync run directory", run_id);
  return Ok();
}

// Whether a crash amid ForgetKept has left it: empty, or with nothing but its mark, which then
// goes.
Result<bool> IsForgotten(int folder, const std::string& name) {
  if (Holds(folder, kEntryName)) return false;
  TW_ASSIGN(const std::vector<std::string> names, ListNames(folder, name));
  if (names == std::vector<std::string>{kRemovedName}) {
    TW_TRY(RemoveFile(folder, kRemovedName));
    return true;
  }
  return names.empty();
}

// So that nothing is left of the result but the mark.
Result<void> EmptyMark(int folder, const std::string& run_id) {
  const UniqueFd mark(
      ::openat(folder, kRemovedName, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!mark) return Failed("remove the result of", run_id);
  return Ok();
}

template <typename Remove>
run::Removal RemovalOf(const RunId& run_id, Remove remove) {
  run::Removal removal{
      .kind = "run-directory", .id = run_id.value(), .confirmed_absent = false, .error = {}};
  Result<void> removed = CheckRunId(run_id);
  if (removed) removed = remove();
  removal.confirmed_absent = removed.has_value();
  if (!removed) removal.error = removed.error().message;
  return removal;
}

std::uint64_t SizeOf(int folder, const char* name) {
  struct stat status {};
  if (::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_size);
}

// Whether the error says something of the entry itself, and not of the system's state: only then
// may the entry be set aside.
bool IsOfTheEntry(const Error& error) {
  switch (error.code) {
    case ErrorCode::kFailedPrecondition:
    case ErrorCode::kNotFound:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kPermissionDenied: return true;
    default: return false;
  }
}

}  // namespace

DirectoryJournal::DirectoryJournal(BrokerId broker_id, UniqueFd runs, UniqueFd kept,
                                   UniqueFd set_aside)
    : broker_id_(std::move(broker_id)),
      runs_(std::move(runs)),
      kept_(std::move(kept)),
      set_aside_(std::move(set_aside)) {}

Result<std::unique_ptr<DirectoryJournal>> DirectoryJournal::Open(const std::string& state_dir,
                                                                 BrokerId broker_id) {
  TW_ASSIGN(const UniqueFd state, OpenOwnFolder(AT_FDCWD, state_dir));
  TW_ASSIGN(UniqueFd runs, OpenOwnFolder(state.get(), "runs"));
  TW_ASSIGN(UniqueFd kept, OpenOwnFolder(state.get(), "kept"));
  TW_ASSIGN(UniqueFd set_aside, OpenOwnFolder(state.get(), "set-aside"));
  if (::fsync(state.get()) != 0) return Failed("sync state directory", state_dir);
  return std::unique_ptr<DirectoryJournal>(new DirectoryJournal(
      std::move(broker_id), std::move(runs), std::move(kept), std::move(set_aside)));
}

Result<void> DirectoryJournal::Open(const run::JournalEntry& entry) {
  TW_TRY(CheckRunId(entry.run_id));
  const std::string& name = entry.run_id.value();
  TW_ASSIGN(const std::string content, FormatEntry(entry));
  if (::mkdirat(runs_.get(), name.c_str(), S_IRWXU) != 0) {
    return Failed("create run directory", name);
  }
  const auto write = [&]() -> Result<void> {
    TW_ASSIGN(const UniqueFd folder, OpenRunFolder(runs_.get(), name));
    TW_TRY(CreateDurably(folder.get(), kEntryName, content));
    if (::fsync(runs_.get()) != 0) return Failed("sync folder of run directory", name);
    return Ok();
  };
  Result<void> written = write();
  if (!written)
    static_cast<void>(Remove(runs_.get(), name, Deadline::Never()));  // two files at most
  return written;
}

Result<void> DirectoryJournal::Update(const run::JournalEntry& entry) {
  TW_TRY(CheckRunId(entry.run_id));
  TW_ASSIGN(const std::string content, FormatEntry(entry));
  TW_ASSIGN(const UniqueFd folder, OpenRunFolder(runs_.get(), entry.run_id.value()));
  return ReplaceDurably(folder.get(), kEntryName, content);
}

run::Removal DirectoryJournal::Close(const RunId& run_id, Deadline deadline) {
  return RemovalOf(run_id, [&] { return Remove(runs_.get(), run_id.value(), deadline); });
}

run::Removal DirectoryJournal::RemoveKept(const RunId& run_id, Deadline deadline) {
  return RemovalOf(run_id, [&] { return RemoveWhatIsKept(run_id.value(), deadline); });
}

run::Removal DirectoryJournal::ForgetKept(const RunId& run_id, Deadline deadline) {
  return RemovalOf(run_id, [&] { return Remove(kept_.get(), run_id.value(), deadline); });
}

Result<void> DirectoryJournal::RemoveWhatIsKept(const std::string& run_id, Deadline deadline) {
  Result<UniqueFd> folder = OpenRunFolder(kept_.get(), run_id);
  if (!folder && folder.error().code == ErrorCode::kNotFound) return Ok();
  if (!folder) return folder.error();
  // First of all, also where nothing else can be done: what is left of it, by a crash or because it
  // would not go, is nothing that could be given to anybody.
  TW_TRY(MarkRemoved(folder->get(), run_id));
  TW_ASSIGN(const std::vector<std::string> names, ListOwn(folder->get(), run_id));
  TW_TRY(RemoveTrees(folder->get(), names, deadline));
  for (const std::string& name : names) {
    if (!IsFilesFolder(name) && !OutlivesItsFiles(name)) TW_TRY(RemoveFile(folder->get(), name));
  }
  return EmptyMark(folder->get(), run_id);
}

Result<void> DirectoryJournal::Remove(int parent, const std::string& run_id, Deadline deadline) {
  Result<UniqueFd> folder = OpenRunFolder(parent, run_id);
  if (!folder && folder.error().code == ErrorCode::kNotFound) return Ok();
  if (!folder) return folder.error();
  // Before the entry goes: a folder that cannot go must keep it.
  TW_ASSIGN(const std::vector<std::string> names, ListOwn(folder->get(), run_id));
  TW_TRY(RemoveTrees(folder->get(), names, deadline));
  for (const std::string& name : names) {
    if (IsOwnFile(name) && name != kRemovedName) TW_TRY(RemoveFile(folder->get(), name));
  }
  TW_TRY(RemoveFile(folder->get(), kRemovedName));
  if (::unlinkat(parent, run_id.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return Failed("remove run directory", run_id);
  }
  struct stat status {};
  if (::fstatat(parent, run_id.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    return Fail(ErrorCode::kInternal,
                "remove run directory " + Quoted(run_id) + ": it is still there");
  }
  return errno == ENOENT ? Ok() : Result<void>(Failed("examine run directory", run_id));
}

Result<run::RunJournal::Found> DirectoryJournal::Load() {
  TW_ASSIGN(const std::vector<std::string> names, ListNames(runs_.get(), "runs"));
  Found found;
  std::vector<std::pair<std::string, std::string>> doubtful;  // name, cause
  for (const std::string& name : names) {
    if (IsRandomId(name) && RemoveUnfinished(name)) continue;
    Result<Found::Unfinished> run = ReadUnfinished(name);
    if (run) {
      found.runs.push_back(*std::move(run));
    } else if (IsOfTheEntry(run.error())) {
      doubtful.emplace_back(name, run.error().message);
    } else {
      return run.error();
    }
  }
  // Only now: what is moved must be told of, and an error above would have told of nothing.
  for (const auto& [name, cause] : doubtful)
    found.set_aside.push_back(SetAside(runs_.get(), name, cause));
  return found;
}

Result<void> DirectoryJournal::Conclude(const run::KeptRun& run) {
  TW_TRY(CheckRunId(run.entry.run_id));
  TW_ASSIGN(const std::string content, FormatResult(run));
  TW_ASSIGN(const UniqueFd folder, OpenRunFolder(runs_.get(), run.entry.run_id.value()));
  const auto there = ReadOwnFile(folder.get(), kResultName, kMaxSealedBytes);
  if (there && *there == content) return Ok();
  return ReplaceDurably(folder.get(), kResultName, content);
}

Result<run::KeptRun> DirectoryJournal::Keep(const run::KeptRun& run, Deadline deadline) {
  TW_TRY(CheckRunId(run.entry.run_id));
  const std::string& name = run.entry.run_id.value();
  // Moved already, by a process that died before it could say so.
  if (auto there = ReadKept(kept_.get(), name, kResultName); there) return there;
  TW_TRY(Conclude(run));
  TW_ASSIGN(run::KeptRun kept, ReadKept(runs_.get(), name, kResultName));
  TW_ASSIGN(const UniqueFd folder, OpenRunFolder(runs_.get(), name));
  for (const char* tree : {run::kInputsFolder, run::kOutputsFolder}) {
    TW_TRY(RemoveTree(folder.get(), tree, {.deadline = deadline, .reclaim = true}));
  }
  if (::renameat2(runs_.get(), name.c_str(), kept_.get(), name.c_str(), RENAME_NOREPLACE) != 0) {
    return Failed("keep run directory", name);
  }
  if (::fsync(kept_.get()) != 0) return Failed("sync folder of kept run", name);
  return kept;
}

Result<run::RunJournal::FoundKept> DirectoryJournal::LoadKept() {
  TW_ASSIGN(const std::vector<std::string> names, ListNames(kept_.get(), "kept"));
  FoundKept found;
  std::vector<std::pair<std::string, std::string>> doubtful;  // name, cause
  for (const std::string& name : names) {
    const Result<void> loaded = LoadOneKept(name, found);
    if (!loaded && !IsOfTheEntry(loaded.error())) return loaded.error();
    if (!loaded) doubtful.emplace_back(name, loaded.error().message);
  }
  for (const auto& [name, cause] : doubtful) {
    found.set_aside.push_back(SetAside(kept_.get(), name, cause));
  }
  return found;
}

Result<void> DirectoryJournal::LoadOneKept(const std::string& name, FoundKept& found) const {
  const Result<UniqueFd> folder = OpenRunFolder(kept_.get(), name);
  if (folder && IsRandomId(name)) {
    TW_ASSIGN(const bool recorded, IsForgotten(folder->get(), name));
    if (recorded && ::unlinkat(kept_.get(), name.c_str(), AT_REMOVEDIR) == 0) return Ok();
  }
  const bool removed = folder && Holds(folder->get(), kRemovedName);
  if (!removed) {
    TW_ASSIGN(run::KeptRun run, ReadKept(kept_.get(), name, kResultName));
    found.runs.push_back(std::move(run));
    return Ok();
  }
  FoundKept::Expired expired;
  TW_ASSIGN(expired.entry, Read(kept_.get(), name));
  // Where the result says nothing any more, its archives are gone, or about to.
  const auto run = ReadKept(kept_.get(), name, kRemovedName);
  expired.bytes = run ? run->log_bytes + run->archive_bytes : SizeOf(folder->get(), run::kLogFile);
  found.expired.push_back(std::move(expired));
  return Ok();
}

Result<run::KeptRun> DirectoryJournal::ReadKept(int parent, const std::string& name,
                                                const char* result_name) const {
  run::KeptRun run;
  TW_ASSIGN(run.entry, Read(parent, name));
  TW_ASSIGN(const UniqueFd folder, OpenRunFolder(parent, name));
  TW_ASSIGN(const std::string content, ReadOwnFile(folder.get(), result_name, kMaxSealedBytes));
  TW_TRY(ParseResult(content, run));
  run.log_bytes = SizeOf(folder.get(), run::kLogFile);
  for (const run::KeptOutput& output : run.outputs) {
    run.archive_bytes += output.summary.archive.archive_bytes;
  }
  return run;
}

Result<run::RunJournal::Found::Unfinished> DirectoryJournal::ReadUnfinished(
    const std::string& name) const {
  Found::Unfinished run;
  TW_ASSIGN(run.entry, Read(runs_.get(), name));
  if (!run.entry.detachment) return run;
  auto result = ReadKept(runs_.get(), name, kResultName);
  if (result) {
    run.result = *std::move(result);
  } else if (result.error().code != ErrorCode::kNotFound) {
    return result.error();
  }
  return run;
}

Result<std::size_t> DirectoryJournal::CountSetAside() const {
  TW_ASSIGN(const std::vector<std::string> names, ListNames(set_aside_.get(), "set-aside"));
  return static_cast<std::size_t>(
      std::count_if(names.begin(), names.end(),
                    [](const std::string& name) { return !name.ends_with(kReasonSuffix); }));
}

// Removes what a crash amid Open or Close left: an empty folder, or one whose run.pb is empty.
bool DirectoryJournal::RemoveUnfinished(const std::string& name) const {
  if (::unlinkat(runs_.get(), name.c_str(), AT_REMOVEDIR) == 0) return true;
  const Result<UniqueFd> folder = OpenRunFolder(runs_.get(), name);
  struct stat status {};
  const bool empty = folder &&
                     ::fstatat(folder->get(), kEntryName, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                     S_ISREG(status.st_mode) && status.st_size == 0;
  return empty && ::unlinkat(folder->get(), kEntryName, 0) == 0 &&
         ::unlinkat(runs_.get(), name.c_str(), AT_REMOVEDIR) == 0;
}

Result<run::JournalEntry> DirectoryJournal::Read(int parent, const std::string& name) const {
  if (!IsRandomId(name)) return Fail(ErrorCode::kFailedPrecondition, "its name is no run id");
  TW_ASSIGN(const UniqueFd folder, OpenRunFolder(parent, name));
  struct stat status {};
  if (::fstat(folder.get(), &status) != 0) return Failed("examine run directory", name);
  if (status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fail(ErrorCode::kFailedPrecondition, "others can write the folder");
  }
  TW_ASSIGN(const std::string content, ReadOwnFile(folder.get(), kEntryName, kMaxEntryBytes));
  TW_ASSIGN(run::JournalEntry entry, ParseEntry(content));
  if (entry.run_id.value() != name) {
    return Fail(ErrorCode::kFailedPrecondition,
                "it is the entry of run " + Quoted(entry.run_id.value()));
  }
  if (entry.broker_id != broker_id_) {
    return Fail(ErrorCode::kFailedPrecondition,
                "it is another broker's, " + Quoted(entry.broker_id.value()));
  }
  return entry;
}

// Moves `name` out of the way, and tells where to and why.
DirectoryJournal::Found::SetAside DirectoryJournal::SetAside(int parent, const std::string& name,
                                                             const std::string& cause) const {
  const std::string from = (parent == kept_.get() ? "kept/" : "runs/") + Printable(name);
  const std::string fresh = RandomId();
  Found::SetAside told;
  if (IsRandomId(name)) told.run_id = RunId(name);
  if (::renameat2(parent, name.c_str(), set_aside_.get(), fresh.c_str(), RENAME_NOREPLACE) != 0) {
    const Error error = Failed("move", name);
    told.moved = false;
    told.what = from + ": " + cause + "; left in place: " + error.message;
    return told;
  }
  told.what = from + " -> set-aside/" + fresh + ": " + cause;
  // For a person only: where it cannot be written, the line is still in the broker's log.
  static_cast<void>(CreateDurably(set_aside_.get(), fresh + kReasonSuffix, told.what + "\n"));
  return told;
}

}  // namespace tidewaiter::journal
