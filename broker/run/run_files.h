// Port: the files that a run brings along and leaves behind, in its directory. They go with the
// directory (RunJournal::Close, RemoveKept); nothing else removes them. Any thread; calls of one
// run one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/shared_bytes.h"
#include "base/strong_id.h"
#include "broker/run/archives.h"
#include "broker/run/backend.h"
#include "broker/run/run_log.h"
#include "policy/effective_run.h"

namespace tidewaiter::run {

// In a run's directory.
inline constexpr char kInputsFolder[] = "inputs";
inline constexpr char kOutputsFolder[] = "outputs";
inline constexpr char kLogFile[] = "log";              // of a detached run
inline constexpr char kArchivesFolder[] = "archives";  // of its outputs: NAME.tar

// An archive on its way into an input or an output. Destroying it gives up what is not finished.
class ArchiveReceiver {
 public:
  virtual ~ArchiveReceiver() = default;
  // Blocks while the archive is being unpacked. Errors: FAILED_PRECONDITION (INPUT_REFUSED,
  // OUTPUT_REFUSED), whose message says which code of docs/ARCHIVES.md and which entry; Patience's.
  virtual Result<void> Write(const SharedBytes& piece, const Patience& patience) = 0;
  // At the archive's end. Errors: as Write.
  virtual Result<ArchiveSummary> Finish(const Patience& patience) = 0;
  // Once it has been refused: the code. For the record, which has no place for names of entries.
  [[nodiscard]] virtual std::string code() const = 0;
};

struct OutputSummary {
  ArchiveSummary archive;
  Omissions omissions;
  friend bool operator==(const OutputSummary&, const OutputSummary&) = default;
};

// The archive of an output on its way to the disk. Destroying it gives up what is not finished.
class ArchiveKeeper {
 public:
  virtual ~ArchiveKeeper() = default;
  // Errors: OUTPUT_FAILED, RunFiles::CheckRoom's.
  virtual Result<void> Write(std::string_view piece) = 0;
  // Durable when it returns. Errors: OUTPUT_FAILED.
  virtual Result<void> Finish() = 0;
};

class RunFiles {
 public:
  virtual ~RunFiles() = default;

  // Of whom the files are that a run gets: its own user; or this process, where they are carried
  // from here (FileCarriage).
  struct Owner {
    RunId run_id;
    std::string principal;
    std::optional<policy::UserId> user;
  };

  // Begins the input `name`: unpacks at most `max_bytes` of content, in a process without rights.
  // Errors: RESOURCE_EXHAUSTED (INPUT_QUOTA) where the principal's runs hold as much as they may,
  // and CheckRoom's; INTERNAL (INPUT_FAILED).
  virtual Result<std::unique_ptr<ArchiveReceiver>> Receive(const Owner& owner,
                                                           const std::string& name,
                                                           std::uint64_t max_bytes) = 0;
  // The input `name` as a plain tar, for a backend that carries it. Errors: INPUT_FAILED,
  // Patience's, those of `write`.
  virtual Result<void> SendInput(const RunId& run_id, const std::string& name,
                                 const ArchiveWriter& write, const Patience& patience) = 0;
  // Begins the output `name` as a backend brings it, in place of what is there of it; as Receive,
  // but it counts against nobody. Errors: CheckRoom's; INTERNAL (OUTPUT_FAILED).
  virtual Result<std::unique_ptr<ArchiveReceiver>> ReceiveOutput(const RunId& run_id,
                                                                 const std::string& name,
                                                                 std::uint64_t max_bytes) = 0;
  // Makes the empty folder of an output. Errors: OUTPUT_FAILED.
  virtual Result<void> PrepareOutput(const Owner& owner, const std::string& name) = 0;
  // Whether the disk that holds them has `wanted` bytes more left than it must keep free. Asked
  // again and again while a run may write some: nothing else bounds what it writes.
  [[nodiscard]] virtual Result<void> CheckRoom(std::uint64_t wanted) = 0;
  // Once nothing of the run writes to it any more: its files and folders as a plain tar, at most
  // `max_bytes` of content. Errors: OUTPUT_FAILED, Patience's, those of `write`.
  virtual Result<OutputSummary> Send(const RunId& run_id, const std::string& name,
                                     std::uint64_t max_bytes, const ArchiveWriter& write,
                                     const Patience& patience) = 0;

  // Of a detached run, before its log and archives are made: that its principal may keep `bytes`
  // more, until Kept says how many they are, or Forget. RESOURCE_EXHAUSTED (KEPT_QUOTA).
  virtual Result<void> Reserve(const RunId& run_id, const std::string& principal,
                               std::uint64_t bytes) = 0;
  // It is kept: its inputs are gone, and its log and archives hold `bytes`.
  virtual void Kept(const RunId& run_id, const std::string& principal, std::uint64_t bytes) = 0;
  // The log of a detached run, whose directory is there: at most `max_bytes` of output. `on_growth`
  // is told, on a thread of the log's, how many bytes of the file can be read.
  virtual Result<std::unique_ptr<RunLog>> OpenLog(
      const RunId& run_id, std::uint64_t max_bytes,
      std::function<void(std::uint64_t size)> on_growth) = 0;
  // The log that a former broker began, to go on with, or a new one: what a crash has cut off its
  // last piece is removed. `has`: what it holds, with LogPosition::stdout_digest where `digested`,
  // for which all of it is read.
  struct ResumedLog {
    std::unique_ptr<RunLog> log;
    LogPosition has;
    std::uint64_t size = 0;  // of the file
  };
  virtual Result<ResumedLog> ResumeLog(const RunId& run_id, std::uint64_t max_bytes, bool digested,
                                       std::function<void(std::uint64_t size)> on_growth) = 0;
  // How long the file of the log is; 0 where there is none.
  [[nodiscard]] virtual std::uint64_t LogSize(const RunId& run_id) = 0;
  // At most `max_bytes` of the log from `offset` on, of a run that goes on or is kept; fewer only
  // at its end.
  virtual Result<std::string> ReadLog(const RunId& run_id, std::uint64_t offset,
                                      std::size_t max_bytes) = 0;
  // Keeps the archive of the output `name`, in place of one that was not finished.
  virtual Result<std::unique_ptr<ArchiveKeeper>> KeepArchive(const RunId& run_id,
                                                             const std::string& name) = 0;
  // An archive that is kept, whole. Errors: NOT_FOUND, errno's, Patience's, those of `write`.
  virtual Result<void> SendArchive(const RunId& run_id, const std::string& name,
                                   const ArchiveWriter& write, const Patience& patience) = 0;
  // Where an input and an output lie on the host, for Backend::Create.
  [[nodiscard]] virtual MountSources Sources(const RunId& run_id) const = 0;
  // What the run's directory held is gone: it counts no longer against its principal.
  virtual void Forget(const RunId& run_id) = 0;
};

}  // namespace tidewaiter::run
