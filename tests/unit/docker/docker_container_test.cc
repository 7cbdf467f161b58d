#include "broker/docker/docker_container.h"

#include <gtest/gtest.h>

#include "broker/docker/engine_api.h"
#include "tests/support/fake_http.h"

namespace tidewaiter::docker {
namespace {

using testing::Answer;
using testing::FakeHttp;
using testing::kVersionAnswer;

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

// What a signal comes to where the engine answers to it so, one after another.
class SignalTest : public ::testing::Test {
 protected:
  Result<bool> Signal(std::vector<Result<io::HttpResponse>> answers) {
    std::size_t next = 0;
    FakeHttp http([&](const io::HttpRequest& request) -> Result<io::HttpResponse> {
      if (request.url.ends_with("/version")) return Answer(200, kVersionAnswer);
      return answers.at(next++);
    });
    EngineClient client(http, "/engine.sock");
    const DockerSettings settings;
    EngineApi api(client, settings);
    return api.KillContainer("c", "SIGTERM", {.stop = {}, .deadline = Deadline::Never()});
  }
  const Error lost_ = Fail(ErrorCode::kUnavailable, "reset by peer", "CONNECTION_LOST");
};

TEST_F(SignalTest, ContainerThatDoesNotRunWasNotReached) {
  const auto signalled = Signal({Answer(409)});
  ASSERT_TRUE(signalled.has_value());
  EXPECT_FALSE(*signalled);
}

TEST_F(SignalTest, ContainerThatDoesNotRunAfterALostAnswerMayHaveBeenEndedByIt) {
  for (const long status : {404, 409}) {
    const auto signalled = Signal({lost_, Answer(status)});
    ASSERT_TRUE(signalled.has_value());
    EXPECT_TRUE(*signalled);
  }
}

}  // namespace
}  // namespace tidewaiter::docker
