// The Log port on spdlog: one line per event on stderr, where systemd's journal or a terminal takes
// it. Never told of environment values or arguments: nobody has them to tell. What looks like a
// password in a line is masked. Thread-safe.
#pragma once

#include <memory>
#include <string_view>

#include "base/log.h"

namespace spdlog {
class logger;
}

namespace tidewaiter::daemon {

class StderrLog final : public Log {
 public:
  // `level`: "error", "warning", "info" or "debug"; anything else is "info".
  explicit StderrLog(std::string_view level);
  ~StderrLog() override;
  void Write(LogLevel level, std::string_view message) override;

 private:
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace tidewaiter::daemon
