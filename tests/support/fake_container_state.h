// One container of FakeBackend as the test drives it: what it prints, how it ends, what its log has
// kept. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/run/backend.h"

namespace tidewaiter::testing {

run::ContainerExit ExitedWith(std::int32_t code);
run::ContainerExit CommandNotFound();
run::ContainerExit LostBecause(Error error);

// Outlives the run.
class FakeContainerState {
 public:
  explicit FakeContainerState(RunId run_id) : run_id_(std::move(run_id)) {}

  [[nodiscard]] const RunId& run_id() const { return run_id_; }
  void Exit(std::int32_t code) { Exit(ExitedWith(code)); }
  // Ends the output too, unless `keep_output`.
  void Exit(run::ContainerExit exit, bool keep_output = false);
  void EndOutput(std::optional<Error> error = std::nullopt);
  // As the I/O thread would. False: paused until Resumed(). The engine's log has it, too, attached
  // or not.
  bool Emit(std::string_view text) { return Emit(run::OutputStream::kStdout, text); }
  bool Emit(run::OutputStream stream, std::string_view text);
  // The engine may have dropped some of its log.
  void LoseLog();
  // The engine goes away: the stream ends (or breaks), and what is said from then on is in its log
  // only.
  void CutOff(std::optional<Error> error = std::nullopt);
  // What Adopt tells.
  void SetTimes(std::optional<std::chrono::system_clock::time_point> started_at,
                std::optional<std::chrono::system_clock::time_point> finished_at);
  void FailStart(std::string error);
  // Ends it as an engine does that tells of it only once the output has been read (moby#41827):
  // when the producer is asked to go on.
  void ExitWithheld(std::int32_t code);
  // How often the producer was asked to go on.
  [[nodiscard]] int resumes() const;

 private:
  friend class FakeContainer;
  friend class FakeAttachment;
  friend class FakeBackend;
  const RunId run_id_;
  Completion<run::ContainerExit> exited_;
  Completion<std::optional<Error>> ended_;
  mutable std::mutex mutex_;
  run::OutputSink* sink_ = nullptr;
  int resumes_ = 0;
  std::optional<std::int32_t> withheld_;
  bool started_ = false;
  bool keeps_log_ = false;
  bool log_lost_ = false;
  bool cut_off_ = false;
  std::vector<std::pair<run::OutputStream, std::string>> log_;
  std::optional<std::chrono::system_clock::time_point> started_at_;
  std::optional<std::chrono::system_clock::time_point> finished_at_;
  std::string start_error_;
};

}  // namespace tidewaiter::testing
