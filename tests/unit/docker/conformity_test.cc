#include "broker/docker/conformity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/docker/container_fixture.h"

namespace tidewaiter::docker {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Fields that differ where the engine answers `inspect`.
std::vector<std::string> Fields(const Json& inspect, const ImageConfig& image = TestImage()) {
  const Json body = BodyOf(FullSpec());
  std::vector<std::string> fields;
  for (const Difference& difference : Compare({.body = body,
                                      .image = image,
                                      .container_id = kContainerId,
                                      .name = kName,
                                      .network_name = "none"},
                                              inspect)) {
    fields.push_back(difference.field);
  }
  return fields;
}

Json View() {
  return EngineView(BodyOf(FullSpec()));
}

TEST(ConformityTest, WhatWasAskedForConforms) {
  EXPECT_THAT(Fields(View()), IsEmpty());
}

TEST(ConformityTest, SpellingsOfNewerEnginesConform) {
  Json view = View();
  view["HostConfig"]["CapAdd"] = {"CAP_CHOWN"};
  view["HostConfig"]["SecurityOpt"] = {"no-new-privileges:true", "seccomp={\"x\":1}"};
  view["HostConfig"]["Devices"] = Json::array();
  view["HostConfig"]["OomKillDisable"] = nullptr;
  std::reverse(view["HostConfig"]["Ulimits"].begin(), view["HostConfig"]["Ulimits"].end());
  EXPECT_THAT(Fields(view), IsEmpty());
}

TEST(ConformityTest, AnswerThatIsNoObjectDiffers) {
  EXPECT_THAT(Fields(Json()), Not(IsEmpty()));
  EXPECT_THAT(Fields(Json::array()), Not(IsEmpty()));
  EXPECT_THAT(Fields({{"HostConfig", "x"}, {"Config", 3}}), Not(IsEmpty()));
}

struct Lie {
  const char* name;
  const char* where;  // JSON pointer into the engine's answer
  const char* value;  // JSON text
  const char* field;  // the difference that must be named
};

class EngineLies : public ::testing::TestWithParam<Lie> {};

TEST_P(EngineLies, IsNamed) {
  Json view = View();
  view[Json::json_pointer(GetParam().where)] = Json::parse(GetParam().value);
  EXPECT_THAT(Fields(view), Contains(GetParam().field));
}

INSTANTIATE_TEST_SUITE_P(
    ConformityTest, EngineLies,
    ::testing::Values(
        Lie{"AnotherContainer", "/Id", "\"x\"", "Id"},
        Lie{"AnotherName", "/Name", "\"/y\"", "Name"},
        Lie{"AnotherImage", "/Image", "\"sha256:00\"", "Image"},
        Lie{"AnotherImageInConfig", "/Config/Image", "\"busybox\"", "Config.Image"},
        Lie{"AnotherUser", "/Config/User", "\"0:0\"", "Config.User"},
        Lie{"AnotherCommand", "/Config/Cmd", "[\"sh\"]", "Config.Cmd"},
        Lie{"AnotherProgram", "/Path", "\"/evil\"", "Args"},
        Lie{"AnotherArgument", "/Args/0", "\"--slow\"", "Args"},
        Lie{"AnotherEntrypoint", "/Config/Entrypoint", "[\"/evil\"]", "Config.Entrypoint"},
        Lie{"VariableAdded", "/Config/Env/4", "\"LD_PRELOAD=/x\"", "Config.Env"},
        Lie{"VariableChanged", "/Config/Env/0", "\"A=2\"", "Config.Env"},
        Lie{"LabelChanged", "/Config/Labels/io.tidewaiter.run", "\"other\"", "Config.Labels"},
        Lie{"LabelAdded", "/Config/Labels/more", "\"x\"", "Config.Labels"},
        Lie{"Terminal", "/Config/Tty", "true", "Config.Tty"},
        Lie{"Stdin", "/Config/OpenStdin", "true", "Config.OpenStdin"},
        Lie{"AnotherFolder", "/Config/WorkingDir", "\"/\"", "Config.WorkingDir"},
        Lie{"HealthcheckRuns", "/Config/Healthcheck/Test", "[\"CMD\",\"x\"]",
            "Config.Healthcheck.Test"},
        Lie{"VolumeDeclared", "/Config/Volumes", "{\"/v\":{}}", "Config.Volumes"},
        Lie{"UnknownConfigField", "/Config/Surprise", "1", "Config.Surprise"},
        Lie{"Privileged", "/HostConfig/Privileged", "true", "HostConfig.Privileged"},
        Lie{"CapabilityAdded", "/HostConfig/CapAdd", "[\"CHOWN\",\"SYS_ADMIN\"]",
            "HostConfig.CapAdd"},
        Lie{"CapabilitiesKept", "/HostConfig/CapDrop", "null", "HostConfig.CapDrop"},
        Lie{"NewPrivileges", "/HostConfig/SecurityOpt", "[\"seccomp={\\\"x\\\":1}\"]",
            "HostConfig.SecurityOpt"},
        Lie{"NoSeccomp", "/HostConfig/SecurityOpt",
            "[\"no-new-privileges\",\"seccomp=unconfined\"]", "HostConfig.SecurityOpt"},
        Lie{"WritableRoot", "/HostConfig/ReadonlyRootfs", "false", "HostConfig.ReadonlyRootfs"},
        Lie{"NoInit", "/HostConfig/Init", "null", "HostConfig.Init"},
        Lie{"NoMemoryLimit", "/HostConfig/Memory", "0", "HostConfig.Memory"},
        Lie{"Swap", "/HostConfig/MemorySwap", "-1", "HostConfig.MemorySwap"},
        Lie{"NoCpuLimit", "/HostConfig/NanoCpus", "0", "HostConfig.NanoCpus"},
        Lie{"NoPidsLimit", "/HostConfig/PidsLimit", "null", "HostConfig.PidsLimit"},
        Lie{"MoreFiles", "/HostConfig/Ulimits/0/Hard", "65536", "HostConfig.Ulimits"},
        Lie{"HostIpc", "/HostConfig/IpcMode", "\"host\"", "HostConfig.IpcMode"},
        Lie{"HostCgroups", "/HostConfig/CgroupnsMode", "\"host\"", "HostConfig.CgroupnsMode"},
        Lie{"HostPids", "/HostConfig/PidMode", "\"host\"", "HostConfig.PidMode"},
        Lie{"HostNames", "/HostConfig/UTSMode", "\"host\"", "HostConfig.UTSMode"},
        Lie{"HostUsers", "/HostConfig/UsernsMode", "\"host\"", "HostConfig.UsernsMode"},
        Lie{"HostNetwork", "/HostConfig/NetworkMode", "\"host\"", "HostConfig.NetworkMode"},
        Lie{"SecondNetwork", "/NetworkSettings/Networks/bridge", "{}", "NetworkSettings.Networks"},
        Lie{"Device", "/HostConfig/Devices", "[{\"PathOnHost\":\"/dev/sda\"}]",
            "HostConfig.Devices"},
        Lie{"DeviceRequest", "/HostConfig/DeviceRequests", "[{\"Count\":-1}]",
            "HostConfig.DeviceRequests"},
        Lie{"Bind", "/HostConfig/Binds", "[\"/:/host\"]", "HostConfig.Binds"},
        Lie{"VolumesFrom", "/HostConfig/VolumesFrom", "[\"other\"]", "HostConfig.VolumesFrom"},
        Lie{"Sysctl", "/HostConfig/Sysctls", "{\"net.x\":\"1\"}", "HostConfig.Sysctls"},
        Lie{"Group", "/HostConfig/GroupAdd", "[\"docker\"]", "HostConfig.GroupAdd"},
        Lie{"Restart", "/HostConfig/RestartPolicy/Name", "\"always\"", "HostConfig.RestartPolicy"},
        Lie{"AnotherRuntime", "/HostConfig/Runtime", "\"crun\"", "HostConfig.Runtime"},
        Lie{"LogsToDisk", "/HostConfig/LogConfig/Type", "\"json-file\"", "HostConfig.LogConfig"},
        Lie{"PortsPublished", "/HostConfig/PortBindings", "{\"80/tcp\":[{\"HostPort\":\"80\"}]}",
            "HostConfig.PortBindings"},
        Lie{"ExecutableTmp", "/HostConfig/Tmpfs/~1tmp", "\"rw,exec\"", "HostConfig.Tmpfs"},
        Lie{"KernelFilesShown", "/HostConfig/MaskedPaths", "[]", "HostConfig.MaskedPaths"},
        Lie{"KernelFilesWritable", "/HostConfig/ReadonlyPaths", "null", "HostConfig.ReadonlyPaths"},
        Lie{"UnknownHostField", "/HostConfig/Surprise", "\"x\"", "HostConfig.Surprise"},
        Lie{"AppArmorOff", "/AppArmorProfile", "\"unconfined\"", "AppArmorProfile"},
        Lie{"MountAdded", "/Mounts/1", "{\"Type\":\"volume\",\"Destination\":\"/v\"}", "Mounts"},
        Lie{"MountWritable", "/Mounts/0/RW", "true", "Mounts[/data]"},
        Lie{"MountElsewhere", "/Mounts/0/Source", "\"/etc\"", "Mounts[/data]"},
        Lie{"MountShared", "/Mounts/0/Propagation", "\"rshared\"", "Mounts[/data]"}),
    [](const auto& lie) { return std::string(lie.param.name); });

TEST(ConformityTest, ErrorNamesTheFieldAndNeverAValueOfTheEnvironment) {
  Json view = View();
  view["Config"]["Env"].push_back("SECRET=hunter2");
  view["HostConfig"]["Memory"] = 1;
  const Json body = BodyOf(FullSpec());
  const ImageConfig image = TestImage();
  const Result<void> result = CheckConformity({.body = body,
                                               .image = image,
                                               .container_id = kContainerId,
                                               .name = kName,
                                               .network_name = "none"},
                                              view);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().Reason(), "ENGINE_DIFFERS");
  EXPECT_THAT(result.error().message, HasSubstr("HostConfig.Memory is 1, not 67108864"));
  EXPECT_THAT(result.error().message, HasSubstr("Config.Env"));
  EXPECT_THAT(result.error().message, Not(HasSubstr("hunter2")));
}

TEST(ConformityTest, LogThatIsKeptWithoutItsBoundDiffers) {
  const Json body = BodyOf(FullSpec(), false, true);
  const ImageConfig image = TestImage();
  const auto conforms = [&](const Json& view) {
    return CheckConformity({.body = body,
                            .image = image,
                            .container_id = kContainerId,
                            .name = kName,
                            .network_name = "none"},
                           view);
  };
  Json view = EngineView(body);
  EXPECT_TRUE(conforms(view).has_value());
  view["HostConfig"]["LogConfig"]["Config"].erase("max-size");
  const Result<void> unbounded = conforms(view);
  ASSERT_FALSE(unbounded.has_value());
  EXPECT_THAT(unbounded.error().message, HasSubstr("HostConfig.LogConfig"));
}

TEST(ConformityTest, NetworkThatIsNotInternalDiffers) {
  const auto admitted = ::tidewaiter::testing::Admit(
      ::tidewaiter::testing::PermissivePolicy("registry.example/lab/*"), FullSpec());
  const Json body = NetworkBody(admitted, kRunId, kBrokerId, "validator");
  Json inspect = body;
  inspect["Id"] = kNetworkId;
  EXPECT_TRUE(CheckNetworkConformity(body, kNetworkId, inspect).has_value());
  inspect["Internal"] = false;
  EXPECT_FALSE(CheckNetworkConformity(body, kNetworkId, inspect).has_value());
}

}  // namespace
}  // namespace tidewaiter::docker
