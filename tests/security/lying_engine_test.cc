// An engine that makes something else than it was asked for, or breaks in the middle: the run is
// refused and nothing stays behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class LyingEngine : public ::testing::Test {
 protected:
  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(),
                         .settings = "stop_grace = \"1s\"\nteardown_timeout = \"5s\"\n"}};
  GateClient client_{broker_.socket_path()};

  Transcript RunCommand(std::initializer_list<const char*> command) {
    v1::RunSpec spec;
    spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
    for (const char* word : command) spec.add_command(word);
    return client_.Run(spec);
  }

  void ExpectRefusedFor(const std::string& field, StandInEngine::Tamper tamper) {
    engine_.SetTamper(std::move(tamper));
    const Transcript transcript = RunCommand({"exit", "0"});
    EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::FAILED);
    EXPECT_EQ(transcript.Result().reason(), "ENGINE_DIFFERS");
    EXPECT_THAT(transcript.Result().message(), HasSubstr(field));
    EXPECT_FALSE(transcript.Has(v1::RunEvent::kStarted));
    EXPECT_TRUE(transcript.Receipt().complete());
    EXPECT_EQ(engine_.ContainerCount(), 0U);
    for (const std::string& call : engine_.Calls())
      EXPECT_THAT(call, ::testing::Not(HasSubstr("/start")));
  }
};

TEST_F(LyingEngine, HonestAnswerIsAdmitted) {
  engine_.SetTamper([](json&) {});
  const Transcript transcript = RunCommand({"exit", "3"});
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED) << transcript.Result().message();
  EXPECT_EQ(transcript.Result().exit_code(), 3);
}

TEST_F(LyingEngine, PrivilegedContainerIsRefused) {
  ExpectRefusedFor("Privileged", [](json& inspect) { inspect["HostConfig"]["Privileged"] = true; });
}
TEST_F(LyingEngine, AddedCapabilityIsRefused) {
  ExpectRefusedFor("CapAdd",
                   [](json& inspect) { inspect["HostConfig"]["CapAdd"] = {"SYS_ADMIN"}; });
}
TEST_F(LyingEngine, KeptCapabilitiesAreRefused) {
  ExpectRefusedFor("CapDrop", [](json& inspect) { inspect["HostConfig"]["CapDrop"] = nullptr; });
}
TEST_F(LyingEngine, HostNetworkIsRefused) {
  ExpectRefusedFor("NetworkMode",
                   [](json& inspect) { inspect["HostConfig"]["NetworkMode"] = "host"; });
}
TEST_F(LyingEngine, HostPidNamespaceIsRefused) {
  ExpectRefusedFor("PidMode", [](json& inspect) { inspect["HostConfig"]["PidMode"] = "host"; });
}
TEST_F(LyingEngine, ExtraBindIsRefused) {
  ExpectRefusedFor("Binds", [](json& inspect) { inspect["HostConfig"]["Binds"] = {"/:/host"}; });
}
TEST_F(LyingEngine, ExtraMountIsRefused) {
  ExpectRefusedFor("Mounts", [](json& inspect) {
    inspect["Mounts"].push_back(
        {{"Type", "bind"}, {"Source", "/"}, {"Destination", "/host"}, {"RW", true}});
  });
}
TEST_F(LyingEngine, DeviceIsRefused) {
  ExpectRefusedFor("Devices", [](json& inspect) {
    inspect["HostConfig"]["Devices"] = {
        {{"PathOnHost", "/dev/sda"}, {"PathInContainer", "/dev/sda"}}};
  });
}
TEST_F(LyingEngine, OtherUserIsRefused) {
  ExpectRefusedFor("User", [](json& inspect) { inspect["Config"]["User"] = "0"; });
}
TEST_F(LyingEngine, WritableRootIsRefused) {
  ExpectRefusedFor("ReadonlyRootfs",
                   [](json& inspect) { inspect["HostConfig"]["ReadonlyRootfs"] = false; });
}
TEST_F(LyingEngine, DroppedMemoryLimitIsRefused) {
  ExpectRefusedFor("Memory", [](json& inspect) { inspect["HostConfig"]["Memory"] = 0; });
}
TEST_F(LyingEngine, DroppedPidsLimitIsRefused) {
  ExpectRefusedFor("PidsLimit",
                   [](json& inspect) { inspect["HostConfig"]["PidsLimit"] = nullptr; });
}
TEST_F(LyingEngine, UnconfinedSeccompIsRefused) {
  ExpectRefusedFor("SecurityOpt", [](json& inspect) {
    inspect["HostConfig"]["SecurityOpt"] = {"no-new-privileges", "seccomp=unconfined"};
  });
}
TEST_F(LyingEngine, OtherImageIsRefused) {
  ExpectRefusedFor("Image",
                   [](json& inspect) { inspect["Image"] = "sha256:" + std::string(64, '9'); });
}
TEST_F(LyingEngine, OtherCommandIsRefused) {
  ExpectRefusedFor("Cmd", [](json& inspect) { inspect["Config"]["Cmd"] = {"sh", "-c", "evil"}; });
}

// The tag may move to another image between check and create: what is created is the image id that
// was checked.
TEST_F(LyingEngine, TagMovedBetweenCheckAndCreateChangesNothing) {
  ASSERT_EQ(RunCommand({"exit", "0"}).Result().outcome(), v1::RunResult::EXITED);
  ASSERT_EQ(engine_.CreateBodies().size(), 1U);
  EXPECT_EQ(engine_.CreateBodies()[0]["Image"], StandInEngine::kImageId);
}

TEST_F(LyingEngine, GarbageFromCreateFailsTheRunAndLeavesNothing) {
  engine_.SetFaults([](std::size_t, const std::string& call) {
    return call == "POST /containers/create" ? StandInEngine::Fault::kGarbage
                                             : StandInEngine::Fault::kNone;
  });
  const Transcript transcript = RunCommand({"exit", "0"});
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::FAILED);
  EXPECT_TRUE(transcript.Receipt().complete());
  EXPECT_EQ(engine_.ContainerCount(), 0U);
}

// Created, but the answer was lost: the container is found again by its name.
TEST_F(LyingEngine, LostAnswerToCreateLeavesNothing) {
  engine_.SetFaults([](std::size_t, const std::string& call) {
    return call == "POST /containers/create" ? StandInEngine::Fault::kResetAfter
                                             : StandInEngine::Fault::kNone;
  });
  RunCommand({"exit", "0"});
  EXPECT_FALSE(engine_.CreateBodies().empty());
  EXPECT_EQ(engine_.ContainerCount(), 0U);
}

// A thing under the run's own name, but with someone else's labels, is left alone.
TEST_F(LyingEngine, ForeignContainerIsNeverRemoved) {
  engine_.PlantContainer("tw-foreign", {{"io.tidewaiter.broker", "someoneelsesbrokeridaaaaaa"}});
  ASSERT_EQ(RunCommand({"exit", "0"}).Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(engine_.ContainerCount(), 1U);
}

}  // namespace
}  // namespace tidewaiter::testing
