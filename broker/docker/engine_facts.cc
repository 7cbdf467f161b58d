#include "broker/docker/engine_facts.h"

namespace tidewaiter::docker {

Result<EngineInfo> EngineFacts::Get(const run::Patience& patience) {
  std::uint64_t engine = 0;
  {
    auto known = known_.Lock();
    if (known->info && !known->until.Passed()) return *known->info;
    engine = known->engine;
  }
  TW_ASSIGN(EngineInfo info, api_.Info(patience));
  auto known = known_.Lock();
  if (known->engine == engine) {
    known->info = info;
    known->until = Deadline::After(std::chrono::minutes(1));
  }
  return info;
}

void EngineFacts::Forget() {
  auto known = known_.Lock();
  known->info.reset();
  ++known->engine;
}

Result<EngineInfo> EngineFacts::GetSuitable(const run::Patience& patience) {
  TW_ASSIGN(EngineInfo info, Get(patience));
  if (!info.runs_linux) {
    return Fail(ErrorCode::kFailedPrecondition, "use the engine: it runs no linux containers",
                "ENGINE_UNSUITABLE");
  }
  if (!info.seccomp) {
    return Fail(ErrorCode::kFailedPrecondition,
                "use the engine: it runs containers without a seccomp filter", "ENGINE_UNSUITABLE");
  }
  return info;
}

}  // namespace tidewaiter::docker
