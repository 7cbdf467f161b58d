#include "broker/journal/state_survey.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

#include "base/durable_file.h"
#include "base/printable.h"
#include "base/unique_fd.h"
#include "broker/journal/entry_format.h"
#include "broker/journal/result_format.h"
#include "broker/journal/sealed_file.h"

namespace tidewaiter::journal {
namespace {

constexpr std::size_t kMaxNames = 100'000;
constexpr std::size_t kMaxReasonBytes = 4096;
constexpr std::string_view kReasonSuffix = ".reason";
constexpr std::array<std::string_view, 13> kOwnNames{"audit-hash.key",
                                                     "audit-hash.key.new",
                                                     "audit.checkpoint",
                                                     "audit.checkpoint.new",
                                                     "audit.key",
                                                     "audit.key.new",
                                                     "audit.key.next",
                                                     "audit.key.next.new",
                                                     "broker_id",
                                                     "forward",
                                                     "kept",
                                                     "runs",
                                                     "set-aside"};

Result<UniqueFd> OpenFolder(int parent, const std::string& name) {
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return ErrnoError(errno, "open " + Quoted(name));
  return fd;
}

// Sorted, without "." and "..".
Result<std::vector<std::string>> NamesIn(int parent, const std::string& folder) {
  TW_ASSIGN(UniqueFd fd, OpenFolder(parent, folder));
  const std::string what = "list " + Quoted(folder);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd.get()), &::closedir);
  if (!entries) return ErrnoError(errno, what);
  static_cast<void>(fd.Release());  // the stream's now
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(entries.get());
    if (entry == nullptr && errno != 0) return ErrnoError(errno, what);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() >= kMaxNames) {
      return Fail(ErrorCode::kResourceExhausted, what + ": too many entries");
    }
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<run::JournalEntry> ReadEntry(int folder, const std::string& name) {
  TW_ASSIGN(const std::string content, ReadOwnFile(folder, "run.pb", kMaxEntryBytes));
  TW_ASSIGN(run::JournalEntry entry, ParseEntry(content));
  if (entry.run_id.value() == name) return entry;
  return Fail(ErrorCode::kFailedPrecondition,
              "it is the entry of run " + Quoted(entry.run_id.value()));
}

StateSurvey::RunFolder ReadRun(int runs, const std::string& name) {
  StateSurvey::RunFolder run{.name = name, .entry = {}};
  const Result<UniqueFd> folder = OpenFolder(runs, name);
  if (!folder) return run;
  Result<run::JournalEntry> entry = ReadEntry(folder->get(), name);
  if (entry) run.entry = *std::move(entry);
  return run;
}

// Of what is not being removed: that says nothing any more.
Result<void> CheckResult(int folder) {
  if (::faccessat(folder, "removed.pb", F_OK, AT_SYMLINK_NOFOLLOW) == 0) return Ok();
  TW_ASSIGN(const std::string content, ReadOwnFile(folder, "result.pb", kMaxSealedBytes));
  run::KeptRun run;
  return ParseResult(content, run);
}

Result<BrokerId> CheckKept(int kept, const std::string& name) {
  TW_ASSIGN(const UniqueFd folder, OpenFolder(kept, name));
  TW_ASSIGN(run::JournalEntry entry, ReadEntry(folder.get(), name));
  TW_TRY(CheckResult(folder.get()));
  return entry.broker_id;
}

StateSurvey::KeptFolder ReadKept(int kept, const std::string& name) {
  StateSurvey::KeptFolder read{.name = name};
  Result<BrokerId> broker_id = CheckKept(kept, name);
  if (broker_id) {
    read.broker_id = *std::move(broker_id);
  } else {
    read.fault = broker_id.error().message;
  }
  return read;
}

std::string ReadReason(int set_aside, const std::string& name) {
  const std::string file = name + std::string(kReasonSuffix);
  return ReadOwnFile(set_aside, file, kMaxReasonBytes).value_or(std::string());
}

}  // namespace

Result<StateSurvey> SurveyState(const std::string& state_dir) {
  TW_ASSIGN(const UniqueFd state, OpenFolder(AT_FDCWD, state_dir));
  StateSurvey survey;
  TW_ASSIGN(const std::vector<std::string> names, NamesIn(state.get(), "."));
  for (const std::string& name : names) {
    const bool own = std::find(kOwnNames.begin(), kOwnNames.end(), name) != kOwnNames.end();
    if (!own) survey.strangers.push_back(name);
  }
  TW_ASSIGN(const std::vector<std::string> runs, NamesIn(state.get(), "runs"));
  TW_ASSIGN(const UniqueFd runs_folder, OpenFolder(state.get(), "runs"));
  for (const std::string& name : runs) {
    survey.runs.push_back(ReadRun(runs_folder.get(), name));
  }
  TW_ASSIGN(const std::vector<std::string> kept, NamesIn(state.get(), "kept"));
  TW_ASSIGN(const UniqueFd kept_folder, OpenFolder(state.get(), "kept"));
  for (const std::string& name : kept) survey.kept.push_back(ReadKept(kept_folder.get(), name));
  TW_ASSIGN(const std::vector<std::string> set_aside, NamesIn(state.get(), "set-aside"));
  TW_ASSIGN(const UniqueFd set_aside_folder, OpenFolder(state.get(), "set-aside"));
  for (const std::string& name : set_aside) {
    if (name.ends_with(kReasonSuffix)) continue;
    survey.set_aside.push_back({.name = name, .reason = ReadReason(set_aside_folder.get(), name)});
  }
  return survey;
}

}  // namespace tidewaiter::journal
