// The worker seen from the program that starts it. A worker holds nothing but the three descriptors
// that it is given, so killing it at any moment leaves only what it wrote in the directory.
#pragma once

#include <csignal>

#include <functional>
#include <stop_token>
#include <string>

#include "base/unique_fd.h"
#include "extract/extraction.h"
#include "extract/limits.h"
#include "extract/refusal.h"

namespace tidewaiter::extract {

class WorkerProcess {
 public:
  // `program` is the path of tidewaiter-extract. `archive` and `directory` are borrowed. Refusal:
  // worker-failed.
  static Expected<WorkerProcess> Start(const std::string& program, int archive, int directory,
                                       const Limits& limits);
  WorkerProcess(WorkerProcess&&) noexcept = default;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  // Kills it where it still runs.
  ~WorkerProcess();

  // Blocks until it ends, or kills it where `stop` says so. Refusals: the worker's own;
  // worker-failed where it died or said nonsense.
  Expected<Summary> Wait(const std::stop_token& stop = {},
                         const std::function<void(const Summary&)>& on_progress = {});

 private:
  WorkerProcess(UniqueFd process, UniqueFd report)
      : process_(std::move(process)), report_(std::move(report)) {}
  // What waitid(2) tells.
  siginfo_t Reap();
  // Harmless where it has ended: a pidfd names no other process.
  void Kill() const;

  UniqueFd process_;  // pidfd_open(2); none once it is reaped
  UniqueFd report_;
};

// tidewaiter-extract in the folder of the running program.
std::string WorkerBesideThisProgram();

}  // namespace tidewaiter::extract
