#include "broker/run/backend.h"

namespace tidewaiter::run {

std::string_view ToString(Resource::Kind kind) noexcept {
  switch (kind) {
    case Resource::Kind::kNetwork: return "network";
    case Resource::Kind::kContainer: return "container";
  }
  return "unknown";
}

}  // namespace tidewaiter::run
