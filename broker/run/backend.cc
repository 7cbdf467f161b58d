#include "broker/run/backend.h"

namespace tidewaiter::run {

std::string_view ToString(Resource::Kind kind) noexcept {
  switch (kind) {
    case Resource::Kind::kNetwork: return "network";
    case Resource::Kind::kContainer: return "container";
    case Resource::Kind::kNetworkPolicy: return "network-policy";
    case Resource::Kind::kPod: return "pod";
    case Resource::Kind::kSecrets: return "secrets";
    case Resource::Kind::kJob: return "job";
  }
  return "unknown";
}

bool RunsCommand(Resource::Kind kind) noexcept {
  return kind == Resource::Kind::kContainer || kind == Resource::Kind::kJob;
}

bool StandsForMany(Resource::Kind kind) noexcept {
  return kind == Resource::Kind::kPod || kind == Resource::Kind::kSecrets;
}

}  // namespace tidewaiter::run
