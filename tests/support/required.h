// What a run of the tests must have, as the comma-separated TIDEWAITER_REQUIRE lists it: "docker",
// "kubernetes", "root". What is listed and missing fails a test; what is not listed and missing
// skips it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <string>

namespace tidewaiter::testing {

// Whether TIDEWAITER_REQUIRE lists `what`.
inline bool IsRequired(const std::string& what) {
  const char* value = std::getenv("TIDEWAITER_REQUIRE");
  std::istringstream list(value != nullptr ? value : "");
  for (std::string item; std::getline(list, item, ',');) {
    if (item == what) return true;
  }
  return false;
}

}  // namespace tidewaiter::testing

// Where even root may not do what a test needs, as in some containers.
#define TW_REFUSED_TO_ROOT(message)                                 \
  if (::tidewaiter::testing::IsRequired("root")) FAIL() << message; \
  GTEST_SKIP() << message

// For the start of a test that gives files to other users.
#define TW_REQUIRE_ROOT()                                               \
  if (::geteuid() != 0 && ::tidewaiter::testing::IsRequired("root")) {  \
    FAIL() << "TIDEWAITER_REQUIRE asks for root, and this is not root"; \
  }                                                                     \
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away"
