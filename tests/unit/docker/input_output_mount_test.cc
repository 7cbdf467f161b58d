// Inputs and outputs on the engine: binds of the run's own folders, and who may have them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/docker/unsupported.h"
#include "tests/unit/docker/container_fixture.h"

namespace tidewaiter::docker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

policy::RunSpec SpecWithBoth() {
  policy::RunSpec spec = FullSpec();
  spec.mounts = {{.target = "/in", .read_only = false, .source = policy::InputMount{"code"}},
                 {.target = "/out", .read_only = false, .source = policy::OutputMount{"results"}}};
  return spec;
}

TEST(InputOutputMounts, AreBindsOfTheRunsOwnFoldersAndInputsAreReadOnly) {
  const Json mounts = BodyOf(SpecWithBoth())["HostConfig"]["Mounts"];
  ASSERT_EQ(mounts.size(), 2U);
  EXPECT_EQ(mounts[0]["Type"], "bind");
  EXPECT_EQ(mounts[0]["Source"], "/state/in/code");
  EXPECT_EQ(mounts[0]["Target"], "/in");
  EXPECT_EQ(mounts[0]["ReadOnly"], true);
  EXPECT_EQ(mounts[0]["BindOptions"]["Propagation"], "rprivate");
  EXPECT_EQ(mounts[1]["Source"], "/state/out/results");
  EXPECT_EQ(mounts[1]["ReadOnly"], false);
}

TEST(InputOutputMounts, NeedABrokerThatCanGiveFilesToTheRunsUser) {
  const policy::AdmittedRun admitted =
      testing::Admit(testing::PermissivePolicy("registry.example/lab/*"), SpecWithBoth());
  DockerSettings settings;
  settings.seccomp_profiles["strict"] = "{}";
  std::vector<policy::UserId> asked;
  settings.may_give_to = [&asked](const policy::UserId& user) {
    asked.push_back(user);
    return false;
  };
  const auto violations = FindUnsupported(admitted.effective(), settings, nullptr);
  ASSERT_EQ(violations.size(), 2U);
  EXPECT_EQ(violations[0].rule, kRuleMountOwner);
  EXPECT_EQ(violations[0].field, "mounts[0].input");
  EXPECT_EQ(violations[1].field, "mounts[1].output");
  EXPECT_THAT(asked, ElementsAre(admitted.effective().user));
  settings.may_give_to = [](const policy::UserId&) { return true; };
  EXPECT_THAT(FindUnsupported(admitted.effective(), settings, nullptr), IsEmpty());
}

}  // namespace
}  // namespace tidewaiter::docker
