#include "broker/daemon/stderr_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <string>

#include "base/mask_credentials.h"

namespace tidewaiter::daemon {
namespace {

spdlog::level::level_enum LevelOf(std::string_view level) {
  if (level == "error") return spdlog::level::err;
  if (level == "warning") return spdlog::level::warn;
  if (level == "debug") return spdlog::level::debug;
  return spdlog::level::info;
}

}  // namespace

StderrLog::StderrLog(std::string_view level)
    : logger_(std::make_shared<spdlog::logger>("tidewaiterd",
                                               std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_level(LevelOf(level));
  // The journal has the time itself. NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets it
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  logger_->set_pattern(journal ? "%l: %v" : "%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
}

StderrLog::~StderrLog() = default;

void StderrLog::Write(LogLevel level, std::string_view message) {
  const std::string masked = MaskCredentials(message);
  switch (level) {
    case LogLevel::kInfo: logger_->info("{}", masked); break;
    case LogLevel::kWarning: logger_->warn("{}", masked); break;
    case LogLevel::kError: logger_->error("{}", masked); break;
  }
}

}  // namespace tidewaiter::daemon
