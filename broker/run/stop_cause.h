// Why a run is asked to stop. The first cause wins; what follows is the same for all: Teardown.
#pragma once

#include <string>

namespace tidewaiter::run {

struct StopCause {
  enum class Kind {
    kCancelled,   // by its owner or by an operator
    kClientGone,  // the stream that carries the run broke
    kShutdown,    // the broker is stopping
  };
  Kind kind = Kind::kCancelled;
  std::string by;  // name of the principal that cancelled; empty otherwise
  friend bool operator==(const StopCause&, const StopCause&) = default;
};

}  // namespace tidewaiter::run
