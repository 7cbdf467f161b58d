// The real Docker Engine and registry that a test needs, as tests/lab/engine names them in the
// environment. Where there is none: the test fails if TIDEWAITER_REQUIRE lists "docker", else it is
// skipped.
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

}  // namespace tidewaiter::testing

// For the start of a test or of SetUp: declares `name`, or ends the test.
#define TW_REQUIRE_LAB(name)                                                              \
  const auto tw_found_##name = ::tidewaiter::testing::FindLab();                          \
  if (!tw_found_##name && ::tidewaiter::testing::IsRequired("docker")) {                  \
    FAIL() << "TIDEWAITER_REQUIRE asks for docker, and TIDEWAITER_LAB_* names no engine"; \
  }                                                                                       \
  if (!tw_found_##name) GTEST_SKIP() << "no engine: see tests/lab/engine";                \
  const ::tidewaiter::testing::Lab& name = *tw_found_##name
