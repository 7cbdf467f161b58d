#include "broker/docker/docker_container.h"

#include <gtest/gtest.h>

namespace tidewaiter::docker {
namespace {

// As runc 1.1 words it.
constexpr std::string_view kPrefix =
    "failed to create shim task: OCI runtime create failed: runc create failed: unable to start "
    "container process: ";

TEST(CommandFailureTest, MissingCommandIs127) {
  EXPECT_EQ(CommandFailure(std::string(kPrefix) +
                           "exec: \"x\": executable file not found in $PATH: unknown"),
            127);
  EXPECT_EQ(
      CommandFailure(std::string(kPrefix) + "exec: \"/x\": stat /x: no such file or directory"),
      127);
}

TEST(CommandFailureTest, CommandThatCannotBeExecutedIs126) {
  EXPECT_EQ(CommandFailure(std::string(kPrefix) + "exec: \"/etc\": permission denied: unknown"),
            126);
  EXPECT_EQ(CommandFailure(std::string(kPrefix) + "exec: \"/etc\": is a directory"), 126);
}

TEST(CommandFailureTest, MissingMountIsNoMissingCommand) {
  EXPECT_EQ(CommandFailure(std::string(kPrefix) +
                           "error mounting \"/srv/x\" to rootfs: no such file or directory"),
            std::nullopt);
}

}  // namespace
}  // namespace tidewaiter::docker
