// The files of runs on disk: STATE_DIR/runs/RUN_ID/inputs/NAME and .../outputs/NAME, which the
// engine binds into the container; of detached ones .../log and .../archives/NAME.tar, too. What is
// kept lies in STATE_DIR/kept/RUN_ID. Nobody but root and the broker reaches them there. Thread:
// any.
#pragma once

#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "broker/files/log_spool.h"
#include "broker/files/principal_share.h"
#include "broker/run/run_files.h"
#include "extract/limits.h"

namespace tidewaiter::files {

class DiskRunFiles final : public run::RunFiles {
 public:
  struct Settings {
    std::string state_dir;
    std::string worker;  // path of tidewaiter-extract
    std::uint64_t max_input_bytes_per_principal = std::uint64_t{16} << 30U;
    // Of logs and archives of detached runs.
    std::uint64_t max_kept_bytes_per_principal = std::uint64_t{16} << 30U;
    std::uint64_t min_free_bytes = std::uint64_t{1} << 30U;  // of state_dir's file system
    extract::Limits limits;  // of an archive; max_bytes is the run's
  };

  // The journal's folders `runs` and `kept` must be there. Errors: errno's.
  static Result<std::unique_ptr<DiskRunFiles>> Open(Settings settings);

  Result<std::unique_ptr<run::ArchiveReceiver>> Receive(const Owner& owner, const std::string& name,
                                                        std::uint64_t max_bytes) override;
  Result<void> SendInput(const RunId& run_id, const std::string& name,
                         const run::ArchiveWriter& write, const run::Patience& patience) override;
  Result<std::unique_ptr<run::ArchiveReceiver>> ReceiveOutput(const RunId& run_id,
                                                              const std::string& name,
                                                              std::uint64_t max_bytes) override;
  // RESOURCE_EXHAUSTED (DISK_LOW).
  [[nodiscard]] Result<void> CheckRoom(std::uint64_t wanted) override;
  Result<void> PrepareOutput(const Owner& owner, const std::string& name) override;
  // The archive is plain: sorted by path, owner 0:0, time 0.
  Result<run::OutputSummary> Send(const RunId& run_id, const std::string& name,
                                  std::uint64_t max_bytes, const run::ArchiveWriter& write,
                                  const run::Patience& patience) override;
  Result<std::unique_ptr<run::RunLog>> OpenLog(
      const RunId& run_id, std::uint64_t max_bytes,
      std::function<void(std::uint64_t)> on_growth) override;
  Result<ResumedLog> ResumeLog(const RunId& run_id, std::uint64_t max_bytes, bool digested,
                               std::function<void(std::uint64_t)> on_growth) override;
  [[nodiscard]] std::uint64_t LogSize(const RunId& run_id) override;
  Result<std::string> ReadLog(const RunId& run_id, std::uint64_t offset,
                              std::size_t max_bytes) override;
  Result<std::unique_ptr<run::ArchiveKeeper>> KeepArchive(const RunId& run_id,
                                                          const std::string& name) override;
  Result<void> SendArchive(const RunId& run_id, const std::string& name,
                           const run::ArchiveWriter& write, const run::Patience& patience) override;
  Result<void> Reserve(const RunId& run_id, const std::string& principal,
                       std::uint64_t bytes) override;
  void Kept(const RunId& run_id, const std::string& principal, std::uint64_t bytes) override;
  [[nodiscard]] run::MountSources Sources(const RunId& run_id) const override;
  void Forget(const RunId& run_id) override;

 private:
  DiskRunFiles(Settings settings, UniqueFd runs, UniqueFd kept);
  // The run's directory, in `runs` or `kept`.
  [[nodiscard]] Result<UniqueFd> OpenRun(const RunId& run_id) const;
  // The folder `kind` of the run's directory, open; made where it is missing.
  [[nodiscard]] Result<UniqueFd> OpenFolder(const RunId& run_id, const char* kind) const;

  const Settings settings_;
  const UniqueFd runs_;
  const UniqueFd kept_;
  LogSpool spool_;
  PrincipalShare inputs_;
  PrincipalShare kept_share_;
};

}  // namespace tidewaiter::files
