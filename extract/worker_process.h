// The worker seen from the program that starts it. A worker holds nothing but the three descriptors
// that it is given, so killing it at any moment leaves only what it wrote in the directory. One
// thread.
#pragma once

#include <csignal>

#include <cstdint>
#include <deque>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/shared_bytes.h"
#include "base/unique_fd.h"
#include "extract/extraction.h"
#include "extract/limits.h"
#include "extract/refusal.h"
#include "extract/report.h"

namespace tidewaiter::extract {

class WorkerProcess {
 public:
  // `program` is the path of tidewaiter-extract. `archive` and `directory` are borrowed. Refusal:
  // worker-failed.
  static Expected<WorkerProcess> Start(const std::string& program, int archive, int directory,
                                       const Limits& limits);
  // One whose archive comes by Feed. This process must ignore SIGPIPE.
  static Expected<WorkerProcess> StartFed(const std::string& program, int directory,
                                          const Limits& limits);
  WorkerProcess(WorkerProcess&&) noexcept = default;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  // Kills it where it still runs.
  ~WorkerProcess();

  // The archive's next bytes; blocks while the worker is behind, and takes in its reports
  // meanwhile. They are lent to the worker, not copied, and are held until it has read them.
  // Refusal: worker-failed where the worker has ended (then Wait says why), or where `stop` or the
  // deadline ended it, which kills it.
  Expected<void> Feed(SharedBytes bytes, const std::stop_token& stop = {},
                      Deadline deadline = Deadline::Never());
  // The archive's end.
  void CloseInput() { input_.Reset(); }
  // Asked once a second at least, and often, while Feed and Wait block: false ends them as the
  // deadline does.
  void Watch(std::function<bool()> go_on) { go_on_ = std::move(go_on); }
  // What the worker last reported.
  [[nodiscard]] const Summary& progress() const noexcept { return reader_.progress(); }

  // Blocks until it ends, or kills it where `stop` or the deadline says so. Of a fed one it closes
  // the input first. Refusals: the worker's own; worker-failed where it died or said nonsense.
  Expected<Summary> Wait(const std::stop_token& stop = {},
                         const std::function<void(const Summary&)>& on_progress = {},
                         Deadline deadline = Deadline::Never());

 private:
  enum class Event { kInput, kReport, kDeadline };

  WorkerProcess(UniqueFd process, UniqueFd report, const Limits& limits)
      : process_(std::move(process)), report_(std::move(report)), limits_(limits) {}
  // Waits for the report, and for room in the input as long as that is open.
  [[nodiscard]] Event Await(Deadline deadline) const;
  // Puts what the pipe has room for into it, and takes that off `parts`. False: there is no reader.
  bool Lend(std::vector<std::string_view>& parts);
  // Lets go of what the worker has read.
  void Release();
  // False where the report has ended, or makes no sense.
  bool TakeReport();
  // Once its report has ended: whether it ends too, in time. One that was taken over may stay.
  [[nodiscard]] bool AwaitEnd(Deadline deadline) const;
  [[nodiscard]] bool MayGoOn(Deadline deadline) const {
    return !deadline.Passed() && (!go_on_ || go_on_());
  }
  // What waitid(2) tells.
  siginfo_t Reap();
  // Harmless where it has ended: a pidfd names no other process.
  void Kill() const;

  UniqueFd process_;  // pidfd_open(2); none once it is reaped
  UniqueFd report_;
  Limits limits_;  // what it says is held against them: it may have been taken over
  std::function<bool()> go_on_;
  UniqueFd input_;  // of a fed one, until it is closed
  struct Lent {
    SharedBytes bytes;
    std::uint64_t end = 0;  // of them in the archive
  };
  // In the pipe, still: whoever changed them would change what the worker reads.
  std::deque<Lent> lent_;
  std::uint64_t fed_ = 0;  // bytes that were put into the pipe
  ReportReader reader_;
  bool sound_ = true;  // what it reported
};

// tidewaiter-extract in the folder of the running program.
std::string WorkerBesideThisProgram();

}  // namespace tidewaiter::extract
