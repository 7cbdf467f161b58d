// Port: where the few modules that may log (supervisor, reaper, daemon) write to, so that the core
// does not know the logging library. Thread-safe; must not block for long and must not throw.
#pragma once

#include <string_view>

namespace tidewaiter {

enum class LogLevel { kInfo, kWarning, kError };

class Log {
 public:
  virtual ~Log() = default;
  // One line; `message` reads like an Error's and is safe to print.
  virtual void Write(LogLevel level, std::string_view message) = 0;
};

}  // namespace tidewaiter
