#include "tests/support/lab.h"

#include <cstdlib>

namespace tidewaiter::testing {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

std::optional<Lab> FindLab() {
  Lab lab{.docker_socket = Variable("TIDEWAITER_LAB_DOCKER_SOCK"),
          .registry = Variable("TIDEWAITER_LAB_REGISTRY"),
          .image = Variable("TIDEWAITER_LAB_IMAGE")};
  if (lab.docker_socket.empty() || lab.registry.empty() || lab.image.empty()) return std::nullopt;
  return lab;
}

}  // namespace tidewaiter::testing
