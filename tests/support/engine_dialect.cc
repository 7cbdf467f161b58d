#include "tests/support/engine_dialect.h"

#include <algorithm>
#include <string_view>

#include "tests/support/cluster_defaults.h"

namespace tidewaiter::testing {
namespace {

bool IsId(std::string_view part) {
  return part.size() >= 26 || part.starts_with("tw-") || part.starts_with("sha256:");
}

// "/containers/ID/json" as "/containers/*/json".
std::string Shape(const std::string& path) {
  std::string shape;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view part = std::string_view(path).substr(at + 1, end - at - 1);
    shape += "/" + std::string(IsId(part) ? "*" : part);
    at = end;
  }
  return shape;
}

std::string DockerCall(const StandInRequest& request) {
  const std::string& path = request.path;
  const std::size_t at = path.starts_with("/v1.") ? path.find('/', 1) : 0;
  if (path.find("/images/") == at && path.ends_with("/json")) {
    return request.method + " /images/*/json";
  }
  return request.method + " " + Shape(path.substr(at));
}

bool IsDockerBackground(const StandInRequest& request) {
  const std::string call = DockerCall(request);
  return call == "GET /containers/json" || call == "GET /networks" || call == "GET /_ping";
}

bool IsDockerEvents(const StandInRequest& request) {
  return request.path.ends_with("/events");
}

std::string DockerRefusal(const StandInRequest& /*request*/, int status) {
  switch (status) {
    case 404: return R"({"message":"fault: not found"})";
    case 409: return R"({"message":"fault: conflict"})";
    default: return R"({"message":"fault: internal error"})";
  }
}

// "/apis/batch/v1/namespaces/tidewaiter/jobs/tw-RUN" as "/jobs/*".
std::string ClusterCall(const StandInRequest& request) {
  constexpr std::string_view kBefore = "/namespaces/";
  const std::size_t at = request.path.find(kBefore);
  if (at == std::string::npos) return request.method + " " + request.path;
  const std::size_t rest =
      std::min(request.path.find('/', at + kBefore.size()), request.path.size());
  return request.method + " " + Shape(request.path.substr(rest));
}

bool IsWatch(const StandInRequest& request) {
  return request.query.find("watch=1") != std::string::npos;
}

// Watches, and lists of all that the broker has; those of one run's are that run's.
bool IsClusterBackground(const StandInRequest& request) {
  if (IsWatch(request)) return true;
  return request.method == "GET" && request.query.find("limit=") != std::string::npos &&
         request.query.find("io.tidewaiter.run") == std::string::npos &&
         request.query.find("fieldSelector=") == std::string::npos;
}

bool IsClusterEndless(const StandInRequest& request) {
  return IsWatch(request) || request.query.find("follow=true") != std::string::npos;
}

std::string ClusterRefusal(const StandInRequest& request, int status) {
  const std::string call = ClusterCall(request);
  const std::string plural = call.substr(std::min(call.find('/') + 1, call.size()));
  const nlohmann::json details = DetailsOf(plural.substr(0, plural.find('/')), "fault");
  switch (status) {
    case 404: return StatusText(404, "NotFound", "fault: not found", details);
    case 409:
      return StatusText(409, request.method == "POST" ? "AlreadyExists" : "Conflict",
                        "fault: conflict", details);
    case 429: return StatusText(429, "TooManyRequests", "fault: too many requests", details);
    case 503: return StatusText(503, "ServiceUnavailable", "fault: unavailable", details);
    default: return StatusText(500, "InternalError", "fault: internal error", details);
  }
}

}  // namespace

const EngineDialect& DockerDialect() {
  static const EngineDialect kDialect{.call = DockerCall,
                                      .is_background = IsDockerBackground,
                                      .is_events = IsDockerEvents,
                                      .is_endless = IsDockerEvents,
                                      .refusal = DockerRefusal,
                                      .create = "POST /containers/create",
                                      .streams = 1};
  return kDialect;
}

const EngineDialect& ClusterDialect() {
  static const EngineDialect kDialect{.call = ClusterCall,
                                      .is_background = IsClusterBackground,
                                      .is_events = IsWatch,
                                      .is_endless = IsClusterEndless,
                                      .refusal = ClusterRefusal,
                                      .create = "POST /jobs",
                                      .streams = 2};
  return kDialect;
}

}  // namespace tidewaiter::testing
