#include "broker/files/disk_run_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <utility>

#include "base/printable.h"
#include "broker/files/input_unpacking.h"
#include "broker/files/output_archive.h"
#include "broker/files/ownership.h"

namespace tidewaiter::files {
namespace {

// For the runs that are under way, and the journal and the log of those to come.
constexpr std::uint64_t kMinFreeFiles = 20'000;

Error OutputFailed(const std::string& what, const std::string& name, int error) {
  Error failed = ErrnoError(error, fmt::format("{} output {}", what, Quoted(name)));
  failed.reason = "OUTPUT_FAILED";
  return failed;
}

}  // namespace

DiskRunFiles::DiskRunFiles(Settings settings, UniqueFd runs)
    : settings_(std::move(settings)),
      runs_(std::move(runs)),
      share_(settings_.max_input_bytes_per_principal) {}

Result<std::unique_ptr<DiskRunFiles>> DiskRunFiles::Open(Settings settings) {
  const std::string path = settings.state_dir + "/runs";
  UniqueFd runs(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!runs) return ErrnoError(errno, "open " + Quoted(path));
  return std::unique_ptr<DiskRunFiles>(new DiskRunFiles(std::move(settings), std::move(runs)));
}

Result<UniqueFd> DiskRunFiles::OpenFolder(const RunId& run_id, const char* kind) const {
  const std::string what = fmt::format("open {} of run {}", kind, Quoted(run_id.value()));
  constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  const UniqueFd run(::openat(runs_.get(), run_id.value().c_str(), kFolder));
  if (!run) return ErrnoError(errno, what);
  if (::mkdirat(run.get(), kind, 0700) != 0 && errno != EEXIST) return ErrnoError(errno, what);
  UniqueFd folder(::openat(run.get(), kind, kFolder));
  if (!folder) return ErrnoError(errno, what);
  return folder;
}

Result<std::unique_ptr<run::InputReceiver>> DiskRunFiles::Receive(const Owner& owner,
                                                                  const std::string& name,
                                                                  std::uint64_t max_bytes) {
  TW_TRY(CheckRoom(max_bytes));
  TW_TRY(share_.Take(owner.run_id, owner.principal, max_bytes));
  TW_ASSIGN(UniqueFd inputs, OpenFolder(owner.run_id, run::kInputsFolder));
  extract::Limits limits = settings_.limits;
  limits.max_bytes = max_bytes;
  InputUnpacking::Hooks hooks{
      .check_room = [this] { return CheckRoom(0); },
      .on_done = [this, run_id = owner.run_id,
                  max_bytes](std::uint64_t used) { share_.Settle(run_id, max_bytes, used); }};
  TW_ASSIGN(auto unpacking, InputUnpacking::Start(settings_.worker, std::move(inputs), name,
                                                  owner.user, limits, std::move(hooks)));
  return std::unique_ptr<run::InputReceiver>(std::move(unpacking));
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
  return GiveTree(outputs.get(), name, owner.user, settings_.limits, Deadline::Never());
}

Result<run::OutputSummary> DiskRunFiles::Send(const RunId& run_id, const std::string& name,
                                              std::uint64_t max_bytes, const Write& write,
                                              const run::Patience& patience) {
  TW_ASSIGN(const UniqueFd outputs, OpenFolder(run_id, run::kOutputsFolder));
  extract::Limits limits = settings_.limits;
  limits.max_bytes = max_bytes;
  return SendOutput(outputs.get(), name, limits, write, patience);
}

run::MountSources DiskRunFiles::Sources(const RunId& run_id) const {
  const std::string run = settings_.state_dir + "/runs/" + run_id.value() + "/";
  return {.inputs = run + run::kInputsFolder, .outputs = run + run::kOutputsFolder};
}

}  // namespace tidewaiter::files
