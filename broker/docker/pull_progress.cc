#include "broker/docker/pull_progress.h"

#include "base/printable.h"
#include "broker/json/json.h"

namespace tidewaiter::docker {
namespace {

constexpr std::size_t kMaxLayers = 256;
constexpr std::chrono::milliseconds kMinInterval{100};

}  // namespace

bool PullProgress::Feed(std::string_view data) {
  return lines_.Feed(data, [this](std::string_view line) { return OnLine(line); });
}

bool PullProgress::OnLine(std::string_view line) {
  const std::optional<Json> message = ParseJson(line);
  if (!message || !message->is_object()) return true;  // the inspect afterwards decides
  std::string error = TextAt(At(*message, {"errorDetail"}), "message");
  if (error.empty()) error = TextAt(*message, "error");
  if (!error.empty()) {
    failure_ = Quoted(error, 400);
    return false;
  }
  const std::string id = TextAt(*message, "id");
  if (id.empty()) return true;
  const std::string layer = Printable(id, 80);
  const std::string status = Printable(TextAt(*message, "status"), 80);
  const auto now = Deadline::Clock::now();
  const auto known = layers_.find(layer);
  if (known == layers_.end()) {
    if (layers_.size() >= kMaxLayers) return true;
    layers_.emplace(layer, Layer{.status = status, .told = now});
  } else if (known->second.status == status && now - known->second.told < kMinInterval) {
    return true;
  } else {
    known->second = Layer{.status = status, .told = now};
  }
  sink_.OnProgress(layer, status, AsInt(At(*message, {"progressDetail", "current"})).value_or(0),
                   AsInt(At(*message, {"progressDetail", "total"})).value_or(0));
  return true;
}

}  // namespace tidewaiter::docker
