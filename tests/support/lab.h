// The real Docker Engine, registries and Kubernetes that a test needs, as tests/lab/engine and
// tests/lab/kubernetes name them in the environment. Where there is none: the test fails if
// TIDEWAITER_REQUIRE lists "docker" or "kubernetes", else it is skipped.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/required.h"

namespace tidewaiter::testing {

struct Lab {
  std::string docker_socket;  // TIDEWAITER_LAB_DOCKER_SOCK
  std::string registry;       // TIDEWAITER_LAB_REGISTRY: "127.0.0.1:PORT"
  std::string image;          // TIDEWAITER_LAB_IMAGE: REGISTRY/lab/toolbox:1.0.0@sha256:...
};

// Nothing where a variable is missing.
std::optional<Lab> FindLab();

// The lab's registry with TLS by a CA of its own and token authentication;
// TIDEWAITER_LAB_PRIVATE_*. 1.0.0 of its repository lab/private is an image, 2.0.0 an index with
// that image as only entry.
struct PrivateRegistry {
  std::string address;        // REGISTRY: "127.0.0.1:PORT"
  std::string digest;         // DIGEST: of the image
  std::string index_digest;   // INDEX_DIGEST
  std::string auth_file;      // AUTH_FILE: user and password, as `docker login` writes them
  std::string identity_file;  // IDENTITY_FILE: the same with an identity token
  std::string ca_file;        // CA, in a folder that could stand for the system's /etc/ssl/certs

  // The image under a tag of that repository.
  [[nodiscard]] std::string Image(const std::string& tag, const std::string& of_digest) const {
    return address + "/lab/private:" + tag + "@" + of_digest;
  }
};

std::optional<PrivateRegistry> FindPrivateRegistry();

// The lab's cluster of one node, whose pods run on the lab's engine; its namespace is as
// deploy/kubernetes makes it.
struct KubernetesLab {
  std::string kubeconfig;        // TIDEWAITER_LAB_KUBECONFIG: with the service account's rights
  std::string admin_kubeconfig;  // TIDEWAITER_LAB_KUBERNETES_ADMIN: with all of them
  std::string name_space;        // TIDEWAITER_LAB_KUBERNETES_NAMESPACE
  std::string server;            // TIDEWAITER_LAB_KUBERNETES_SERVER: "https://127.0.0.1:PORT"
  std::string kubectl;           // TIDEWAITER_LAB_KUBECTL: of the cluster's version
  std::string carrier;           // TIDEWAITER_LAB_CARRIER: the image of tidewaiter-carrier
};

std::optional<KubernetesLab> FindKubernetesLab();

}  // namespace tidewaiter::testing

// For the start of a test or of SetUp: declares `name`, or ends the test.
#define TW_REQUIRE_LAB(name) TW_REQUIRE_OF_LAB(name, Lab, "docker", "engine")
#define TW_REQUIRE_PRIVATE_REGISTRY(name) \
  TW_REQUIRE_OF_LAB(name, PrivateRegistry, "docker", "engine")
#define TW_REQUIRE_KUBERNETES(name) \
  TW_REQUIRE_OF_LAB(name, KubernetesLab, "kubernetes", "kubernetes")

#define TW_REQUIRE_OF_LAB(name, Type, server, script)                                         \
  const auto tw_found_##name = ::tidewaiter::testing::Find##Type();                           \
  if (!tw_found_##name && ::tidewaiter::testing::IsRequired(server)) {                        \
    FAIL() << "TIDEWAITER_REQUIRE asks for " server ", and TIDEWAITER_LAB_* names no " #Type; \
  }                                                                                           \
  if (!tw_found_##name) GTEST_SKIP() << "no " #Type ": see tests/lab/" script;                \
  const ::tidewaiter::testing::Type& name = *tw_found_##name
