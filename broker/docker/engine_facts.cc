#include "broker/docker/engine_facts.h"

namespace tidewaiter::docker {

Result<EngineInfo> EngineFacts::Get(const run::Patience& patience) {
  {
    auto known = known_.Lock();
    if (*known && !(*known)->until.Passed()) return (*known)->info;
  }
  TW_ASSIGN(EngineInfo info, api_.Info(patience));
  *known_.Lock() = Known{.info = info, .until = Deadline::After(std::chrono::minutes(1))};
  return info;
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
