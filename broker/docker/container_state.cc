#include "broker/docker/container_state.h"

#include <chrono>
#include <optional>
#include <string>

#include "broker/docker/engine_time.h"

namespace tidewaiter::docker {
namespace {

using State = run::Adopted::State;

std::optional<std::chrono::system_clock::time_point> TimeAt(const Json& state,
                                                            std::string_view key) {
  const std::optional<EngineTime> time = ParseEngineTime(TextAt(state, key));
  if (!time) return std::nullopt;
  return std::chrono::time_point_cast<std::chrono::system_clock::duration>(*time);
}

}  // namespace

run::Adopted ReadContainerState(const Json& inspect) {
  const Json& state = At(inspect, {"State"});
  const std::string status = TextAt(state, "Status");
  run::Adopted adopted;
  adopted.image_id = TextAt(inspect, "Image");
  adopted.started_at = TimeAt(state, "StartedAt");
  if (status == "created") {
    adopted.state = State::kCreated;
    adopted.start_error = TextAt(state, "Error");
  } else if (status == "exited" || status == "dead") {
    adopted.state = State::kEnded;
    adopted.finished_at = TimeAt(state, "FinishedAt");
  }
  // Others: running or paused, or on its way out, of which the end will be told.
  return adopted;
}

}  // namespace tidewaiter::docker
