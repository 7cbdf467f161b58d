#include "tests/support/fake_container_state.h"

#include <span>
#include <utility>

namespace tidewaiter::testing {

using run::ContainerExit;

ContainerExit ExitedWith(std::int32_t code) {
  ContainerExit exit;
  exit.exit_code = code;
  return exit;
}

ContainerExit CommandNotFound() {
  ContainerExit exit = ExitedWith(127);
  exit.command_failed = true;
  exit.message = "not found";
  return exit;
}

ContainerExit LostBecause(Error error) {
  ContainerExit exit;
  exit.lost = std::move(error);
  return exit;
}

void FakeContainerState::Exit(ContainerExit exit, bool keep_output) {
  exited_.Set(std::move(exit));
  if (!keep_output) EndOutput();
}

void FakeContainerState::EndOutput(std::optional<Error> error) {
  ended_.Set(std::move(error));
}

bool FakeContainerState::Emit(run::OutputStream stream, std::string_view text) {
  const std::lock_guard lock(mutex_);
  log_.emplace_back(stream, text);
  if (sink_ == nullptr || cut_off_) return true;
  return sink_->Write(stream, std::as_bytes(std::span(text)));
}

void FakeContainerState::CutOff(std::optional<Error> error) {
  {
    const std::lock_guard lock(mutex_);
    cut_off_ = true;
  }
  EndOutput(std::move(error));
}

void FakeContainerState::LoseLog() {
  const std::lock_guard lock(mutex_);
  log_lost_ = true;
}

void FakeContainerState::SetTimes(
    std::optional<std::chrono::system_clock::time_point> started_at,
    std::optional<std::chrono::system_clock::time_point> finished_at) {
  const std::lock_guard lock(mutex_);
  started_at_ = started_at;
  finished_at_ = finished_at;
}

void FakeContainerState::FailStart(std::string error) {
  const std::lock_guard lock(mutex_);
  start_error_ = std::move(error);
}

void FakeContainerState::ExitWithheld(std::int32_t code) {
  const std::lock_guard lock(mutex_);
  withheld_ = code;
}

int FakeContainerState::resumes() const {
  const std::lock_guard lock(mutex_);
  return resumes_;
}

}  // namespace tidewaiter::testing
