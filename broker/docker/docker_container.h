// One created container, from attach to exit. Owns nothing on the engine: removing is the
// backend's.
#pragma once

#include <memory>
#include <string>

#include "broker/docker/engine_api.h"
#include "broker/docker/exit_watcher.h"
#include "broker/docker/log_reader.h"
#include "broker/io/event_loop.h"
#include "broker/run/backend.h"

namespace tidewaiter::docker {

class DockerContainer final : public run::Container {
 public:
  DockerContainer(io::EventLoop& loop, EngineApi& api, const DockerSettings& settings,
                  std::string id, std::unique_ptr<ExitWatcher::Watch> watch,
                  std::uint64_t safe_log_bytes)
      : loop_(loop),
        api_(api),
        settings_(settings),
        id_(std::move(id)),
        watch_(std::move(watch)),
        log_(api, settings, id_, safe_log_bytes) {}

  [[nodiscard]] const std::string& id() const override { return id_; }
  Result<std::unique_ptr<run::Attachment>> Attach(run::OutputSink& sink, bool with_stdin,
                                                  const run::Patience& patience) override;
  Result<void> Start(const run::Patience& patience) override;
  Completion<run::ContainerExit>& exited() override { return watch_->exited(); }
  Result<bool> Signal(int signal_number, const run::Patience& patience) override;
  bool EndIsWithheld(const run::Patience& patience) override;
  bool StreamsCutOff() override { return watch_->StreamsCutOff(); }
  Result<bool> ReadLog(run::LogPosition& position, const run::LogTaker& take,
                       const run::Patience& patience) override {
    return log_.Read(position, take, patience);
  }

 private:
  io::EventLoop& loop_;
  EngineApi& api_;
  const DockerSettings& settings_;
  const std::string id_;
  const std::unique_ptr<ExitWatcher::Watch> watch_;
  LogReader log_;
};

// What a failed start says about the command: 127 (it is not there), 126 (it cannot be executed),
// or nothing where something else failed. Only runtimes without the engine's init say so here; the
// init answers for a missing command by exiting with 127 or 126 itself.
std::optional<int> CommandFailure(std::string_view engine_message);
// The same as the container's end.
std::optional<run::ContainerExit> FailedCommand(std::string_view engine_message);

}  // namespace tidewaiter::docker
