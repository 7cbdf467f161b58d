// Writes the logs of detached runs, on one thread of its own: what the I/O thread hands over must
// not wait for a disk. A log that is written too slowly holds up its own producer alone.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/guarded.h"
#include "base/unique_fd.h"
#include "broker/run/run_log.h"

namespace tidewaiter::files {

class LogSpool {
 public:
  // Of one log, until its producer waits.
  static constexpr std::size_t kMaxWaiting = std::size_t{1} << 20U;

  LogSpool();
  ~LogSpool();  // every log must be gone
  LogSpool(const LogSpool&) = delete;
  LogSpool& operator=(const LogSpool&) = delete;

  // How large the file of a log of `max_bytes` may become. Output that comes byte by byte, from
  // both streams in turn, takes nine times its size.
  static constexpr std::uint64_t MaxFileBytes(std::uint64_t max_bytes) {
    return 2 * max_bytes + (std::uint64_t{64} << 10U);
  }
  // `file`: open for appending, `size` bytes long. `max_bytes`: of output. `on_growth` is called on
  // the spool's thread; not once the log is gone.
  std::unique_ptr<run::RunLog> Open(UniqueFd file, std::uint64_t max_bytes,
                                    std::function<void(std::uint64_t)> on_growth,
                                    std::uint64_t size = 0);

 private:
  class File;
  class Log;
  void Loop(const std::stop_token& stop);

  Guarded<std::deque<std::shared_ptr<File>>> due_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last: it uses what stands above
};

}  // namespace tidewaiter::files
