// What the engine can do (GET /info), asked at most once a minute. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "base/deadline.h"
#include "base/guarded.h"
#include "base/result.h"
#include "broker/docker/engine_api.h"

namespace tidewaiter::docker {

class EngineFacts {
 public:
  explicit EngineFacts(EngineApi& api) : api_(api) {}

  Result<EngineInfo> Get(const run::Patience& patience);

  // The next engine on that socket may be another one.
  void Forget();

  // As Get. Errors: ENGINE_UNSUITABLE where it runs no Linux containers, or runs them without a
  // seccomp filter.
  Result<EngineInfo> GetSuitable(const run::Patience& patience);

 private:
  struct Known {
    std::optional<EngineInfo> info;
    Deadline until = Deadline::Never();
    std::uint64_t engine = 0;  // which one: an answer that was on its way when it went is not kept
  };
  EngineApi& api_;
  Guarded<Known> known_;
};

}  // namespace tidewaiter::docker
