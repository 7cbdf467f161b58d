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

#include "base/printable.h"
#include "base/remove_tree.h"
#include "broker/journal/durable_file.h"
#include "broker/journal/entry_format.h"

namespace tidewaiter::journal {
namespace {

constexpr char kEntryName[] = "run.pb";
constexpr char kFreshEntryName[] = "run.pb.new";
constexpr char kReasonSuffix[] = ".reason";
constexpr std::size_t kMaxNames = 100'000;

bool IsOwnFile(const std::string& name) {
  return name == kEntryName || name == kFreshEntryName;
}

bool IsFilesFolder(const std::string& name) {
  return name == run::kInputsFolder || name == run::kOutputsFolder;
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

DirectoryJournal::DirectoryJournal(BrokerId broker_id, UniqueFd runs, UniqueFd set_aside)
    : broker_id_(std::move(broker_id)), runs_(std::move(runs)), set_aside_(std::move(set_aside)) {}

Result<std::unique_ptr<DirectoryJournal>> DirectoryJournal::Open(const std::string& state_dir,
                                                                 BrokerId broker_id) {
  TW_ASSIGN(const UniqueFd state, OpenOwnFolder(AT_FDCWD, state_dir));
  TW_ASSIGN(UniqueFd runs, OpenOwnFolder(state.get(), "runs"));
  TW_ASSIGN(UniqueFd set_aside, OpenOwnFolder(state.get(), "set-aside"));
  if (::fsync(state.get()) != 0) return Failed("sync state directory", state_dir);
  return std::unique_ptr<DirectoryJournal>(
      new DirectoryJournal(std::move(broker_id), std::move(runs), std::move(set_aside)));
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
  if (!written) static_cast<void>(Remove(name, Deadline::Never()));  // two files at most
  return written;
}

Result<void> DirectoryJournal::Update(const run::JournalEntry& entry) {
  TW_TRY(CheckRunId(entry.run_id));
  TW_ASSIGN(const std::string content, FormatEntry(entry));
  TW_ASSIGN(const UniqueFd folder, OpenRunFolder(runs_.get(), entry.run_id.value()));
  return ReplaceDurably(folder.get(), kEntryName, content);
}

run::Removal DirectoryJournal::Close(const RunId& run_id, Deadline deadline) {
  run::Removal removal{
      .kind = "run-directory", .id = run_id.value(), .confirmed_absent = false, .error = {}};
  Result<void> removed = CheckRunId(run_id);
  if (removed) removed = Remove(run_id.value(), deadline);
  removal.confirmed_absent = removed.has_value();
  if (!removed) removal.error = removed.error().message;
  return removal;
}

Result<void> DirectoryJournal::Remove(const std::string& run_id, Deadline deadline) {
  Result<UniqueFd> folder = OpenRunFolder(runs_.get(), run_id);
  if (!folder && folder.error().code == ErrorCode::kNotFound) return Ok();
  if (!folder) return folder.error();
  // Before the entry goes: a folder that cannot go must keep it.
  TW_ASSIGN(const std::vector<std::string> names, ListNames(folder->get(), run_id));
  for (const std::string& name : names) {
    if (IsOwnFile(name) || IsFilesFolder(name)) continue;
    return Fail(ErrorCode::kFailedPrecondition,
                "remove run directory " + Quoted(run_id) + ": it holds " + Quoted(name));
  }
  for (const std::string& name : names) {
    if (!IsFilesFolder(name)) continue;
    TW_TRY(RemoveTree(folder->get(), name, {.deadline = deadline, .reclaim = true}));
  }
  for (const std::string& name : names) {
    if (!IsOwnFile(name)) continue;
    if (::unlinkat(folder->get(), name.c_str(), 0) != 0 && errno != ENOENT) {
      return Failed("remove", name);
    }
  }
  if (::unlinkat(runs_.get(), run_id.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return Failed("remove run directory", run_id);
  }
  struct stat status {};
  if (::fstatat(runs_.get(), run_id.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
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
    Result<run::JournalEntry> entry = Read(name);
    if (entry) {
      found.entries.push_back(*std::move(entry));
    } else if (IsOfTheEntry(entry.error())) {
      doubtful.emplace_back(name, entry.error().message);
    } else {
      return entry.error();
    }
  }
  // Only now: what is moved must be told of, and an error above would have told of nothing.
  for (const auto& [name, cause] : doubtful) found.set_aside.push_back(SetAside(name, cause));
  return found;
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

Result<run::JournalEntry> DirectoryJournal::Read(const std::string& name) const {
  if (!IsRandomId(name)) return Fail(ErrorCode::kFailedPrecondition, "its name is no run id");
  TW_ASSIGN(const UniqueFd folder, OpenRunFolder(runs_.get(), name));
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
DirectoryJournal::Found::SetAside DirectoryJournal::SetAside(const std::string& name,
                                                             const std::string& cause) const {
  const std::string fresh = RandomId();
  Found::SetAside told;
  if (IsRandomId(name)) told.run_id = RunId(name);
  if (::renameat2(runs_.get(), name.c_str(), set_aside_.get(), fresh.c_str(), RENAME_NOREPLACE) !=
      0) {
    const Error error = Failed("move", name);
    told.moved = false;
    told.what = "runs/" + Printable(name) + ": " + cause + "; left in place: " + error.message;
    return told;
  }
  told.what = "runs/" + Printable(name) + " -> set-aside/" + fresh + ": " + cause;
  // For a person only: where it cannot be written, the line is still in the broker's log.
  static_cast<void>(CreateDurably(set_aside_.get(), fresh + kReasonSuffix, told.what + "\n"));
  return told;
}

}  // namespace tidewaiter::journal
