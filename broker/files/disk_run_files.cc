#include "broker/files/disk_run_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/printable.h"
#include "base/remove_tree.h"
#include "broker/files/archive_unpacking.h"
#include "broker/files/kept_archive.h"
#include "broker/files/log_content.h"
#include "broker/files/output_archive.h"
#include "broker/files/ownership.h"

namespace tidewaiter::files {
namespace {

// For the runs that are under way, and the journal and the log of those to come.
constexpr std::uint64_t kMinFreeFiles = 20'000;

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

Error OutputFailed(const std::string& what, const std::string& name, int error) {
  Error failed = ErrnoError(error, fmt::format("{} output {}", what, Quoted(name)));
  failed.reason = "OUTPUT_FAILED";
  return failed;
}

policy::UserId OwnUser() {
  return {.uid = ::geteuid(), .gid = ::getegid()};
}

}  // namespace

DiskRunFiles::DiskRunFiles(Settings settings, UniqueFd runs, UniqueFd kept)
    : settings_(std::move(settings)),
      runs_(std::move(runs)),
      kept_(std::move(kept)),
      inputs_(settings_.max_input_bytes_per_principal, {.verb = "take an input",
                                                        .what = "of inputs",
                                                        .setting = "max_input_bytes_per_principal",
                                                        .reason = "INPUT_QUOTA"}),
      kept_share_(settings_.max_kept_bytes_per_principal,
                  {.verb = "keep what the run leaves behind",
                   .what = "of output",
                   .setting = "max_kept_bytes_per_principal; retention frees some",
                   .reason = "KEPT_QUOTA"}) {}

Result<std::unique_ptr<DiskRunFiles>> DiskRunFiles::Open(Settings settings) {
  const auto open = [&](const char* name) -> Result<UniqueFd> {
    const std::string path = settings.state_dir + "/" + name;
    UniqueFd fd(::open(path.c_str(), kFolder));
    if (!fd) return ErrnoError(errno, "open " + Quoted(path));
    return fd;
  };
  TW_ASSIGN(UniqueFd runs, open("runs"));
  TW_ASSIGN(UniqueFd kept, open("kept"));
  return std::unique_ptr<DiskRunFiles>(
      new DiskRunFiles(std::move(settings), std::move(runs), std::move(kept)));
}

Result<UniqueFd> DiskRunFiles::OpenRun(const RunId& run_id) const {
  // It may move from the first to the second, never back.
  for (const UniqueFd* parent : {&runs_, &kept_}) {
    UniqueFd run(::openat(parent->get(), run_id.value().c_str(), kFolder));
    if (run) return run;
  }
  return ErrnoError(errno, "open the directory of run " + Quoted(run_id.value()));
}

Result<UniqueFd> DiskRunFiles::OpenFolder(const RunId& run_id, const char* kind) const {
  const std::string what = fmt::format("open {} of run {}", kind, Quoted(run_id.value()));
  TW_ASSIGN(const UniqueFd run, OpenRun(run_id));
  if (::mkdirat(run.get(), kind, 0700) != 0 && errno != EEXIST) return ErrnoError(errno, what);
  UniqueFd folder(::openat(run.get(), kind, kFolder));
  if (!folder) return ErrnoError(errno, what);
  return folder;
}

Result<std::unique_ptr<run::ArchiveReceiver>> DiskRunFiles::Receive(const Owner& owner,
                                                                    const std::string& name,
                                                                    std::uint64_t max_bytes) {
  TW_TRY(CheckRoom(max_bytes));
  TW_TRY(inputs_.Take(owner.run_id, owner.principal, max_bytes));
  TW_ASSIGN(UniqueFd inputs, OpenFolder(owner.run_id, run::kInputsFolder));
  extract::Limits limits = settings_.limits;
  limits.max_bytes = max_bytes;
  ArchiveUnpacking::Hooks hooks{
      .check_room = [this] { return CheckRoom(0); },
      .on_done = [this, run_id = owner.run_id,
                  max_bytes](std::uint64_t used) { inputs_.Settle(run_id, max_bytes, used); }};
  TW_ASSIGN(auto unpacking,
            ArchiveUnpacking::Start(
                settings_.worker, {.noun = "input", .reason = "INPUT"},
                {.parent = std::move(inputs), .name = name, .user = owner.user.value_or(OwnUser())},
                limits, std::move(hooks)));
  return std::unique_ptr<run::ArchiveReceiver>(std::move(unpacking));
}

Result<void> DiskRunFiles::SendInput(const RunId& run_id, const std::string& name,
                                     const run::ArchiveWriter& write,
                                     const run::Patience& patience) {
  TW_ASSIGN(const UniqueFd inputs, OpenFolder(run_id, run::kInputsFolder));
  return files::SendInput(inputs.get(), name, write, patience);
}

Result<std::unique_ptr<run::ArchiveReceiver>> DiskRunFiles::ReceiveOutput(const RunId& run_id,
                                                                          const std::string& name,
                                                                          std::uint64_t max_bytes) {
  TW_TRY(CheckRoom(0));
  TW_ASSIGN(UniqueFd outputs, OpenFolder(run_id, run::kOutputsFolder));
  // Of a former broker that was not done with it.
  if (const auto removed = RemoveTree(outputs.get(), name); !removed) {
    return Fail(ErrorCode::kInternal,
                "fetch output " + Quoted(name) + ": " + removed.error().message, "OUTPUT_FAILED");
  }
  extract::Limits limits = settings_.limits;
  limits.max_bytes = max_bytes;
  TW_ASSIGN(auto unpacking,
            ArchiveUnpacking::Start(
                settings_.worker, {.noun = "output", .reason = "OUTPUT"},
                {.parent = std::move(outputs), .name = name, .user = OwnUser()}, limits,
                {.check_room = [this] { return CheckRoom(0); }, .on_done = [](std::uint64_t) {}}));
  return std::unique_ptr<run::ArchiveReceiver>(std::move(unpacking));
}

Result<void> DiskRunFiles::CheckRoom(std::uint64_t wanted) {
  struct statvfs status {};
  if (::fstatvfs(runs_.get(), &status) != 0) return ErrnoError(errno, "ask how full the disk is");
  const std::uint64_t free = status.f_bavail * status.f_frsize;
  // Some file systems have no bound of files, and say zero.
  if (status.f_files > 0 && status.f_favail < kMinFreeFiles) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("keep the disk of {} usable: it can hold {} more files, fewer than {}",
                            Quoted(settings_.state_dir), status.f_favail, kMinFreeFiles),
                "DISK_LOW");
  }
  if (free >= settings_.min_free_bytes && free - settings_.min_free_bytes >= wanted) return Ok();
  return Fail(ErrorCode::kResourceExhausted,
              fmt::format("keep the disk of {} usable: {} bytes are free, and {} must stay so "
                          "(min_free_bytes) with {} more",
                          Quoted(settings_.state_dir), free, settings_.min_free_bytes, wanted),
              "DISK_LOW");
}

Result<void> DiskRunFiles::PrepareOutput(const Owner& owner, const std::string& name) {
  TW_TRY(CheckRoom(0));
  TW_ASSIGN(const UniqueFd outputs, OpenFolder(owner.run_id, run::kOutputsFolder));
  if (::mkdirat(outputs.get(), name.c_str(), 0700) != 0) return OutputFailed("make", name, errno);
  TW_TRY(GiveTree(outputs.get(), name, owner.user.value_or(OwnUser()), settings_.limits,
                  Deadline::Never()));
  return Ok();
}

Result<run::OutputSummary> DiskRunFiles::Send(const RunId& run_id, const std::string& name,
                                              std::uint64_t max_bytes,
                                              const run::ArchiveWriter& write,
                                              const run::Patience& patience) {
  TW_ASSIGN(const UniqueFd outputs, OpenFolder(run_id, run::kOutputsFolder));
  extract::Limits limits = settings_.limits;
  limits.max_bytes = max_bytes;
  return SendOutput(outputs.get(), name, limits, write, patience);
}

Result<std::unique_ptr<run::RunLog>> DiskRunFiles::OpenLog(
    const RunId& run_id, std::uint64_t max_bytes, std::function<void(std::uint64_t)> on_growth) {
  TW_ASSIGN(const UniqueFd run, OpenRun(run_id));
  constexpr int kFresh = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd file(::openat(run.get(), run::kLogFile, kFresh, 0600));
  if (!file) return ErrnoError(errno, "make the log of run " + Quoted(run_id.value()));
  return spool_.Open(std::move(file), max_bytes, std::move(on_growth));
}

Result<run::RunFiles::ResumedLog> DiskRunFiles::ResumeLog(
    const RunId& run_id, std::uint64_t max_bytes, bool digested,
    std::function<void(std::uint64_t)> on_growth) {
  const std::string what = "go on with the log of run " + Quoted(run_id.value());
  TW_ASSIGN(const UniqueFd run, OpenRun(run_id));
  constexpr int kGoOn = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd file(::openat(run.get(), run::kLogFile, kGoOn, 0600));
  if (!file) return ErrnoError(errno, what);
  TW_ASSIGN(const LogContent content, MeasureLog(file.get(), digested));
  if (::ftruncate(file.get(), static_cast<off_t>(content.size)) != 0) {
    return ErrnoError(errno, what);
  }
  return ResumedLog{
      .log = spool_.Open(std::move(file), max_bytes, std::move(on_growth), content.size),
      .has = content.has,
      .size = content.size};
}

std::uint64_t DiskRunFiles::LogSize(const RunId& run_id) {
  const auto run = OpenRun(run_id);
  struct stat status {};
  if (!run || ::fstatat(run->get(), run::kLogFile, &status, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::string> DiskRunFiles::ReadLog(const RunId& run_id, std::uint64_t offset,
                                          std::size_t max_bytes) {
  const std::string what = "read the log of run " + Quoted(run_id.value());
  TW_ASSIGN(const UniqueFd run, OpenRun(run_id));
  const UniqueFd file(::openat(run.get(), run::kLogFile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return ErrnoError(errno, what);
  std::string bytes(max_bytes, '\0');
  std::size_t got = 0;
  while (got < max_bytes) {
    const ssize_t more =
        ::pread(file.get(), bytes.data() + got, max_bytes - got, static_cast<off_t>(offset + got));
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return ErrnoError(errno, what);
    if (more == 0) break;
    got += static_cast<std::size_t>(more);
  }
  bytes.resize(got);
  return bytes;
}

Result<std::unique_ptr<run::ArchiveKeeper>> DiskRunFiles::KeepArchive(const RunId& run_id,
                                                                      const std::string& name) {
  TW_ASSIGN(const UniqueFd folder, OpenFolder(run_id, run::kArchivesFolder));
  return MakeKeptArchive(folder.get(), name, [this] { return CheckRoom(0); });
}

Result<void> DiskRunFiles::SendArchive(const RunId& run_id, const std::string& name,
                                       const run::ArchiveWriter& write,
                                       const run::Patience& patience) {
  TW_ASSIGN(const UniqueFd run, OpenRun(run_id));
  return SendKeptArchive(run.get(), name, write, patience);
}

Result<void> DiskRunFiles::Reserve(const RunId& run_id, const std::string& principal,
                                   std::uint64_t bytes) {
  return kept_share_.Take(run_id, principal, bytes);
}

void DiskRunFiles::Kept(const RunId& run_id, const std::string& principal, std::uint64_t bytes) {
  inputs_.Forget(run_id);
  kept_share_.Set(run_id, principal, bytes);
}

void DiskRunFiles::Forget(const RunId& run_id) {
  inputs_.Forget(run_id);
  kept_share_.Forget(run_id);
}

run::MountSources DiskRunFiles::Sources(const RunId& run_id) const {
  const std::string run = settings_.state_dir + "/runs/" + run_id.value() + "/";
  return {.inputs = run + run::kInputsFolder, .outputs = run + run::kOutputsFolder};
}

}  // namespace tidewaiter::files
