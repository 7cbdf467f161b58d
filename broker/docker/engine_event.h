// One line of the engine's event stream. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::docker {

// What a process can end with, as the kernel has it and the engine passes it on.
inline constexpr std::int32_t kMaxExitCode = 255;

struct EngineEvent {
  enum class Kind { kDied, kOutOfMemory, kDestroyed, kOther };
  Kind kind = Kind::kOther;
  std::string container_id;
  // Of kDied. To be believed only for containers that have no label of the name "exitCode": the
  // engine (seen with 20.10) lets a container's labels overwrite the attributes of its events.
  std::optional<std::int32_t> exit_code;
  std::string since;  // SECONDS.NANOSECONDS by the engine's clock; "" where it says none
};

// Errors: ENGINE_INVALID_ANSWER where the line is no event.
Result<EngineEvent> ParseEngineEvent(std::string_view line);

}  // namespace tidewaiter::docker
