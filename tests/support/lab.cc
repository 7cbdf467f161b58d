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

std::optional<PrivateRegistry> FindPrivateRegistry() {
  PrivateRegistry found{.address = Variable("TIDEWAITER_LAB_PRIVATE_REGISTRY"),
                        .digest = Variable("TIDEWAITER_LAB_PRIVATE_DIGEST"),
                        .index_digest = Variable("TIDEWAITER_LAB_PRIVATE_INDEX_DIGEST"),
                        .auth_file = Variable("TIDEWAITER_LAB_PRIVATE_AUTH_FILE"),
                        .identity_file = Variable("TIDEWAITER_LAB_PRIVATE_IDENTITY_FILE"),
                        .ca_file = Variable("TIDEWAITER_LAB_PRIVATE_CA")};
  for (const std::string* value : {&found.address, &found.digest, &found.index_digest,
                                   &found.auth_file, &found.identity_file, &found.ca_file}) {
    if (value->empty()) return std::nullopt;
  }
  return found;
}

std::optional<KubernetesLab> FindKubernetesLab() {
  KubernetesLab found{.kubeconfig = Variable("TIDEWAITER_LAB_KUBECONFIG"),
                      .admin_kubeconfig = Variable("TIDEWAITER_LAB_KUBERNETES_ADMIN"),
                      .name_space = Variable("TIDEWAITER_LAB_KUBERNETES_NAMESPACE"),
                      .server = Variable("TIDEWAITER_LAB_KUBERNETES_SERVER"),
                      .kubectl = Variable("TIDEWAITER_LAB_KUBECTL"),
                      .carrier = Variable("TIDEWAITER_LAB_CARRIER")};
  for (const std::string* value : {&found.kubeconfig, &found.admin_kubeconfig, &found.name_space,
                                   &found.server, &found.kubectl, &found.carrier}) {
    if (value->empty()) return std::nullopt;
  }
  return found;
}

}  // namespace tidewaiter::testing
