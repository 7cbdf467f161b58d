// The progress of a pull, as the engine tells it: JSON objects, one per line. Calls come on the
// loop's thread, one at a time.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "broker/io/line_splitter.h"
#include "broker/run/backend.h"

namespace tidewaiter::docker {

class PullProgress {
 public:
  explicit PullProgress(run::ImageProgressSink& sink) : sink_(sink) {}

  // Tells the sink at most once per layer and 100 ms, and of every change of status; at most 256
  // layers. False once the engine has reported that the pull failed.
  bool Feed(std::string_view data);

  // The engine's own words, escaped and cut, where it reported that.
  [[nodiscard]] const std::optional<std::string>& failure() const noexcept { return failure_; }

 private:
  struct Layer {
    std::string status;
    Deadline::Clock::time_point told;
  };
  bool OnLine(std::string_view line);

  run::ImageProgressSink& sink_;
  io::LineSplitter lines_{std::size_t{64} << 10U};
  std::map<std::string, Layer> layers_;
  std::optional<std::string> failure_;
};

}  // namespace tidewaiter::docker
