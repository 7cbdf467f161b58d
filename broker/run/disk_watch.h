// Whether the disk fills up while a run may write to it. Such a run is bounded by nothing but this;
// logs come to much where runs are many. Who of several fills the disk is not known: all are
// stopped, which is better than a host whose disk is full. The run's thread.
#pragma once

#include <optional>

#include "base/deadline.h"
#include "base/error.h"
#include "broker/run/environment.h"

namespace tidewaiter::run {

class DiskWatch {
 public:
  // `watches`: whether this run writes to the disk at all.
  DiskWatch(const Environment& environment, bool watches)
      : environment_(environment), watches_(watches) {}

  // Looks. Once it was low it stays so: error() says why the run is stopped.
  bool IsLow();
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  // When to look again.
  [[nodiscard]] Deadline NextLook() const;

 private:
  const Environment& environment_;
  const bool watches_;
  std::optional<Error> error_;
};

}  // namespace tidewaiter::run
