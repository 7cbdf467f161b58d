// tidewaiterd: reads its command line, starts the daemon, and waits for the signal to stop.
#include <fmt/format.h>

#include <csignal>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include "broker/daemon/check.h"
#include "broker/daemon/daemon.h"
#include "broker/daemon/options.h"
#include "broker/daemon/preparation.h"
#include "broker/daemon/process_setup.h"
#include "broker/daemon/service_manager.h"
#include "broker/daemon/settings.h"
#include "broker/daemon/stderr_log.h"
#include "broker/daemon/watched_stop.h"

namespace tidewaiter::daemon {
namespace {

constexpr int kUsageStatus = 2;

// A file's problems are a line each, and so are the log's events.
int FailStart(Log& log, const Error& error) {
  std::istringstream lines("start: " + error.message);
  for (std::string line; std::getline(lines, line);) log.Write(LogLevel::kError, line);
  return 1;
}

// By SIGHUP. What became of it is in the log, in the record, and in `systemctl status`.
void ReloadPolicy(Daemon& daemon, ServiceManager& manager, const siginfo_t& signal) {
  const std::string how = fmt::format("SIGHUP of pid {}, uid {}", signal.si_pid, signal.si_uid);
  manager.Reloading();
  const bool taken =
      daemon.ReloadPolicy(std::nullopt, how, [&manager](const v1::ReloadPolicyResponse& answer) {
        manager.Reloaded(answer.reloaded() ? "serving"
                                           : "serving; the new policy was refused: see the log");
      });
  if (!taken) manager.Reloaded("serving");
}

// Returns at a signal to stop.
void AwaitStopSignal(const sigset_t& stops, Daemon& daemon, ServiceManager& manager) {
  sigset_t awaited = stops;
  ::sigaddset(&awaited, SIGHUP);
  while (true) {
    const auto signal = WaitForSignal(awaited, manager.watchdog_interval());
    if (signal && signal->si_signo != SIGHUP) return;
    if (signal) ReloadPolicy(daemon, manager, *signal);
    if (daemon.LoopIsAlive()) manager.FeedWatchdog();
  }
}

int Serve(const std::string& config_path) {
  SetUpProcess();
  const sigset_t signals = BlockSignals();
  Result<Preparation> preparation = Prepare(config_path);
  StderrLog log(preparation ? preparation->config.log_level : "info");
  if (!preparation) return FailStart(log, preparation.error());
  ServiceManager manager;
  const auto longest_drain = LongestDrain(preparation->config);
  const auto longest_end = LongestEnd(preparation->config);
  Result<std::unique_ptr<Daemon>> daemon = Daemon::Start(*std::move(preparation), log);
  if (!daemon) return FailStart(log, daemon.error());
  manager.Ready();
  AwaitStopSignal(signals, **daemon, manager);

  log.Write(LogLevel::kInfo, "stopping: no more runs are admitted; a second signal ends the drain");
  manager.Stopping("draining");
  AwaitStop(signals, manager,
            {.work = [&] { (*daemon)->Drain(); },
             .alive = [&] { return (*daemon)->LoopIsAlive(); },
             .on_signal = [&] { (*daemon)->StopNow(); },
             .longest = longest_drain});
  manager.Stopping("closing");
  AwaitStop(signals, manager,
            {.work = [&] { daemon->reset(); },
             .alive = [] { return true; },
             .on_signal = [] {},
             .longest = longest_end});
  return 0;
}

int Main(int argc, const char* const* argv) {
  const Result<Options> options = ParseOptions(argc, argv);
  if (!options) {
    std::cerr << "tidewaiterd: " << options.error().message << "\n" << kUsage;
    return kUsageStatus;
  }
  switch (options->action) {
    case Options::Action::kHelp: std::cout << kUsage; return 0;
    case Options::Action::kVersion: std::cout << "tidewaiterd " TIDEWAITER_VERSION "\n"; return 0;
    case Options::Action::kCheck: return Check(options->config_path, std::cout) ? 0 : 1;
    case Options::Action::kServe: break;
  }
  return Serve(options->config_path);
}

}  // namespace
}  // namespace tidewaiter::daemon

int main(int argc, char** argv) {
  return tidewaiter::daemon::Main(argc, argv);
}
