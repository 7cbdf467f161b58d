#include "broker/docker/engine_event.h"

#include <charconv>

#include "broker/docker/engine_client.h"
#include "broker/docker/engine_time.h"
#include "broker/json/json.h"

namespace tidewaiter::docker {
namespace {

std::optional<std::int32_t> ReadExitCode(const std::string& text) {
  std::int32_t code = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (code < 0 || code > kMaxExitCode) return std::nullopt;
  return code;
}

}  // namespace

Result<EngineEvent> ParseEngineEvent(std::string_view line) {
  constexpr std::string_view kSubject = "read the engine's events";
  const std::optional<Json> json = ParseJson(line);
  if (!json || !json->is_object()) return InvalidAnswer(kSubject, "a line is no JSON object");
  EngineEvent event;
  event.container_id = TextAt(At(*json, {"Actor"}), "ID");
  const std::chrono::nanoseconds time(AsInt(At(*json, {"timeNano"})).value_or(0));
  event.since = SinceText(EngineTime(time));
  const std::string action = TextAt(*json, "Action");
  if (action.empty()) return InvalidAnswer(kSubject, "a line names no action");
  if (TextAt(*json, "Type") != "container") return event;
  if (action == "die") {
    event.kind = EngineEvent::Kind::kDied;
    event.exit_code = ReadExitCode(TextAt(At(*json, {"Actor", "Attributes"}), "exitCode"));
  } else if (action == "oom") {
    event.kind = EngineEvent::Kind::kOutOfMemory;
  } else if (action == "destroy") {
    event.kind = EngineEvent::Kind::kDestroyed;
  }
  return event;
}

}  // namespace tidewaiter::docker
