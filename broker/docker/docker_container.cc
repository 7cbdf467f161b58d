#include "broker/docker/docker_container.h"

#include <csignal>
#include <utility>

#include "base/printable.h"
#include "broker/docker/attachment.h"

namespace tidewaiter::docker {

std::optional<int> CommandFailure(std::string_view engine_message) {
  // runc: `unable to start container process: exec: "x": executable file not found in $PATH`. A
  // mount that fails speaks of missing files too, but not of exec.
  const std::size_t exec = engine_message.find("exec: ");
  if (exec == std::string_view::npos) return std::nullopt;
  const std::string_view cause = engine_message.substr(exec);
  const auto says = [cause](std::string_view words) {
    return cause.find(words) != std::string_view::npos;
  };
  if (says("executable file not found") || says("no such file or directory")) return 127;
  if (says("permission denied") || says("is a directory") || says("exec format error")) return 126;
  return std::nullopt;
}

std::optional<run::ContainerExit> FailedCommand(std::string_view engine_message) {
  const std::optional<int> code = CommandFailure(engine_message);
  if (!code) return std::nullopt;
  run::ContainerExit exit;
  exit.exit_code = *code;
  exit.command_failed = true;
  exit.message = Printable(engine_message, 400);
  return exit;
}

Result<std::unique_ptr<run::Attachment>> DockerContainer::Attach(run::OutputSink& sink,
                                                                 bool with_stdin,
                                                                 const run::Patience& patience) {
  const run::Patience budget{
      .stop = patience.stop,
      .deadline = patience.deadline.Sooner(Deadline::After(settings_.attach_timeout))};
  TW_ASSIGN(const std::string target, api_.AttachTarget(id_, with_stdin, budget));
  auto attachment = EngineAttachment::Open(
      loop_, api_.socket(), target, sink, with_stdin,
      [watch = watch_.get()] { watch->StreamsEnded(); }, budget);
  if (!attachment) {
    Error error = attachment.error().Within("attach to container " + Quoted(id_));
    // The budget's end is not the caller's: to the caller the engine is simply not there.
    const bool silent = error.code == ErrorCode::kDeadlineExceeded && !patience.deadline.Passed();
    if (silent) error.code = ErrorCode::kUnavailable;
    if (error.code == ErrorCode::kUnavailable) error.reason = "ENGINE_UNAVAILABLE";
    return error;
  }
  return std::unique_ptr<run::Attachment>(*std::move(attachment));
}

Result<void> DockerContainer::Start(const run::Patience& patience) {
  TW_ASSIGN(const EngineAnswer answer, api_.StartContainer(id_, patience));
  if (answer.status == 204 || answer.status == 304) return Ok();
  std::optional<run::ContainerExit> exit = FailedCommand(EngineMessage(answer));
  if (!exit) return EngineRefusal(answer, "start container " + Quoted(id_));
  exited().Set(*std::move(exit));
  return Ok();
}

Result<bool> DockerContainer::Signal(int signal_number, const run::Patience& patience) {
  if (signal_number != SIGTERM && signal_number != SIGKILL) {
    return Fail(ErrorCode::kInvalidArgument,
                "signal container " + Quoted(id_) + ": neither SIGTERM nor SIGKILL");
  }
  TW_ASSIGN(const bool signalled,
            api_.KillContainer(id_, signal_number == SIGTERM ? "SIGTERM" : "SIGKILL", patience));
  if (!signalled) watch_->NotRunning();
  return signalled;
}

// The engine (20.10) holds the container's lock while it waits for its output to be read, so that
// every question about this container stays open, while others are answered.
bool DockerContainer::EndIsWithheld(const run::Patience& patience) {
  const Deadline soon = Deadline::After(settings_.check_timeout);
  const Result<std::optional<Json>> container = api_.InspectContainer(
      id_, {.stop = patience.stop, .deadline = patience.deadline.Sooner(soon)});
  if (container || !soon.Passed()) return false;
  return api_.Ping(patience).has_value();
}

}  // namespace tidewaiter::docker
