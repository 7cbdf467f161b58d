#include "broker/docker/container_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/docker/log_driver.h"
#include "tests/unit/docker/container_fixture.h"

namespace tidewaiter::docker {
namespace {

TEST(ContainerConfigTest, WholeBodyOfAFullRun) {
  const Json expected = Json::parse(R"({
    "AttachStderr": true, "AttachStdin": false, "AttachStdout": true,
    "Cmd": ["run", "--fast"],
    "Entrypoint": [],
    "Env": ["A=1", "B=x=y", "HOME=/work"],
    "Healthcheck": {"Test": ["NONE"]},
    "HostConfig": {
      "AutoRemove": false,
      "CapAdd": ["CHOWN"],
      "CapDrop": ["ALL"],
      "CgroupnsMode": "private",
      "Init": true,
      "IpcMode": "private",
      "LogConfig": {"Type": "none", "Config": {}},
      "Memory": 67108864,
      "MemorySwap": 67108864,
      "Mounts": [{"Type": "bind", "Source": "/srv/data", "Target": "/data", "ReadOnly": true,
                  "BindOptions": {"Propagation": "rprivate", "NonRecursive": true}}],
      "NanoCpus": 1500000000,
      "NetworkMode": "none",
      "PidsLimit": 32,
      "Privileged": false,
      "PublishAllPorts": false,
      "ReadonlyRootfs": true,
      "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
      "Runtime": "runc",
      "SecurityOpt": ["no-new-privileges", "seccomp={\"x\":1}"],
      "ShmSize": 1048576,
      "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=4096,mode=1777"},
      "Ulimits": [{"Name": "nofile", "Soft": 128, "Hard": 128},
                  {"Name": "core", "Soft": 0, "Hard": 0}]
    },
    "Hostname": "tw-aaaaaaaaaaaaaaaaaaaaaaaaaa",
    "Image": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "Labels": {"team": "blue",
               "io.tidewaiter.broker": "bbbbbbbbbbbbbbbbbbbbbbbbbb",
               "io.tidewaiter.run": "aaaaaaaaaaaaaaaaaaaaaaaaaa",
               "io.tidewaiter.principal": "validator",
               "io.tidewaiter.tenant.challenge": "c1",
               "io.tidewaiter.tenant.job": "j1"},
    "OpenStdin": false, "StdinOnce": false, "StopTimeout": 5, "Tty": false,
    "User": "1000:1001",
    "WorkingDir": "/work"
  })");
  EXPECT_EQ(BodyOf(FullSpec()), expected) << Json::diff(expected, BodyOf(FullSpec())).dump(1);
}

TEST(ContainerConfigTest, OutputThatIsToBeKeptGoesToABoundedLog) {
  policy::RunSpec spec = FullSpec();
  spec.limits.log_bytes = 5000;
  const Json body = BodyOf(spec, false, true);
  EXPECT_EQ(body["HostConfig"]["LogConfig"], KeptLogConfig(5000));
}

TEST(ContainerConfigTest, EmptyCommandAndFolderLeaveTheImagesOwn) {
  policy::RunSpec spec = FullSpec();
  spec.command.clear();
  spec.working_dir.clear();
  const Json body = BodyOf(spec);
  EXPECT_FALSE(body.contains("Cmd"));
  EXPECT_FALSE(body.contains("WorkingDir"));
}

TEST(ContainerConfigTest, StdinIsOpenedOnceWhereItIsAttached) {
  const Json body = BodyOf(FullSpec(), true);
  EXPECT_EQ(body["AttachStdin"], true);
  EXPECT_EQ(body["OpenStdin"], true);
  EXPECT_EQ(body["StdinOnce"], true);
}

TEST(ContainerConfigTest, IsolatedNetworkIsNamedById) {
  policy::RunSpec spec = FullSpec();
  spec.network = policy::NetworkMode::kIsolated;
  EXPECT_EQ(BodyOf(spec)["HostConfig"]["NetworkMode"], kNetworkId);
}

TEST(ContainerConfigTest, ReadOnlyTmpfsSaysSo) {
  policy::RunSpec spec = FullSpec();
  spec.mounts[1].read_only = true;
  EXPECT_EQ(BodyOf(spec)["HostConfig"]["Tmpfs"]["/tmp"],
            "ro,noexec,nosuid,nodev,size=4096,mode=1777");
}

TEST(ContainerConfigTest, WithoutAProfileTheEnginesDefaultFilterStays) {
  policy::RunSpec spec = FullSpec();
  spec.seccomp_profile.clear();
  EXPECT_EQ(BodyOf(spec)["HostConfig"]["SecurityOpt"], Json::array({"no-new-privileges"}));
}

TEST(ContainerConfigTest, OwnNetworkIsInternalAndItsBridgeHasNoAddress) {
  const auto admitted = ::tidewaiter::testing::Admit(
      ::tidewaiter::testing::PermissivePolicy("registry.example/lab/*"), FullSpec());
  const Json body = NetworkBody(admitted, kRunId, kBrokerId, "validator");
  EXPECT_EQ(body["Internal"], true);
  EXPECT_EQ(body["Name"], kName);
  EXPECT_EQ(body["Options"]["com.docker.network.bridge.inhibit_ipv4"], "true");
  EXPECT_EQ(body["Labels"]["io.tidewaiter.run"], kRunId.value());
}

}  // namespace
}  // namespace tidewaiter::docker
