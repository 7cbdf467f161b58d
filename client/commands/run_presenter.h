// What `run` shows of a run's events: the job's output where it belongs, everything else on stderr,
// or all events as JSON lines. Threads: Show from one; Remark, Warn and ShowTransfer from any.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/commands/output_writer.h"
#include "client/commands/pull_progress.h"
#include "client/rpc_failure.h"
#include "client/terminal.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::cli {

struct RunDisplay {
  bool json = false;   // events as JSON lines on stdout, and nothing of the job on stderr
  bool quiet = false;  // no progress, no remarks; warnings and errors stay
};

class RunPresenter {
 public:
  // `abort_fd` (borrowed) ends waiting for a slow reader: see OutputWriter.
  RunPresenter(RunDisplay display, int abort_fd);

  // Errors are OutputWriter's: the event could not be shown.
  Result<void> Show(const v1::RunEvent& event);
  // A failure of the call, after the last event.
  Result<void> ShowFailure(const client::RpcFailure& failure);
  // One remark on stderr; a warning also where quiet was asked for.
  void Remark(std::string_view text);
  void Warn(std::string_view text);
  // How far an archive has come, as "sending input 'a'": a line that is drawn over itself, on a
  // terminal.
  void ShowTransfer(std::string_view what, std::uint64_t bytes);
  // From now on, show the receipt: the user waits for it.
  void AwaitReceipt();

  // What the run's events mean for the exit status; empty where they do not say.
  [[nodiscard]] std::optional<int> exit_status() const noexcept { return exit_status_; }
  // limits.outputBytes of the admitted run; 0 before.
  [[nodiscard]] std::uint64_t output_bytes() const noexcept { return output_bytes_; }
  // Empty before the run is admitted.
  [[nodiscard]] const std::string& run_id() const noexcept { return run_id_; }

 private:
  Result<void> ShowOutput(const v1::Output& output);
  void ShowProgress(const v1::ImageProgress& progress);
  void ShowTruncated(const v1::Truncated& truncated);
  void ShowResult(const v1::RunResult& result);
  void ShowReceipt(const v1::Receipt& receipt);
  void ShowOutputEnd(const v1::OutputPiece& piece);
  void WriteStderr(std::string_view text);
  // What removes the line of a transfer from the screen.
  std::string ClearTransfer();

  const RunDisplay display_;
  const client::Terminal terminal_;  // of stderr
  OutputWriter stdout_;
  OutputWriter stderr_;
  std::string run_id_;
  std::string timeout_text_;
  std::string memory_text_;
  std::uint64_t output_bytes_ = 0;
  std::uint64_t taken_bytes_ = 0;  // of the output under way
  std::optional<int> exit_status_;
  bool denial_shown_ = false;

  std::mutex mutex_;  // of what follows, and of writing remarks
  PullProgress progress_;
  bool await_receipt_ = false;
  bool transfer_drawn_ = false;
  std::chrono::steady_clock::time_point next_transfer_;
  bool line_open_ = false;  // the job's last output did not end its line
};

}  // namespace tidewaiter::cli
