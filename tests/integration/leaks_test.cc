// `tidewaiter doctor --leaks`, on engines on which something was left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/strong_id.h"
#include "tests/support/broker_process.h"
#include "tests/support/eventually.h"
#include "tests/support/gate_client.h"
#include "tests/support/lab.h"
#include "tests/support/program.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

Program::Ended DoctorLeaks(const BrokerProcess& broker, bool json = true) {
  std::vector<std::string> arguments{"doctor", "--leaks", "--socket", broker.socket_path()};
  if (json) arguments.emplace_back("--json");
  return Program("tidewaiter", std::move(arguments)).Wait();
}

// "KIND ID" of each line.
std::vector<std::string> KindsAndIds(const std::string& out) {
  std::vector<std::string> found;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    const auto leak = nlohmann::json::parse(line, nullptr, false);
    found.push_back(leak.value("kind", "?") + " " + leak.value("id", "?"));
  }
  return found;
}

class LeaksOnTheStandIn : public ::testing::Test {
 protected:
  // The comparison of the start would remove what is planted: it is over once it has asked for
  // networks, and the next one is far away.
  void SetUp() override {
    ASSERT_TRUE(Eventually([this] {
      const std::vector<std::string> calls = engine_.Calls();
      return std::any_of(calls.begin(), calls.end(),
                         [](const std::string& call) { return call.starts_with("GET /networks"); });
    }));
  }

  std::string Plant(const std::string& name, const std::string& broker_id) {
    return engine_.PlantContainer(
        name, {{"io.tidewaiter.broker", broker_id}, {"io.tidewaiter.run", RandomId()}});
  }

  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(),
                         .settings = "reap_interval = \"1h\"\nteardown_timeout = \"1s\"\n"}};
};

TEST_F(LeaksOnTheStandIn, NothingIsSaidAndIsNoFault) {
  const Program::Ended ended = DoctorLeaks(broker_, false);
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("nothing: engine, journal and disk agree"));
}

TEST_F(LeaksOnTheStandIn, StraysAndFilesOfOthersAreAFault) {
  const std::string stray = Plant("tw-stray", broker_.broker_id());
  engine_.PlantContainer("unlabelled", nlohmann::json::object());
  std::filesystem::create_directory(broker_.folder() + "/state/lost+found");
  const Program::Ended ended = DoctorLeaks(broker_);
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(KindsAndIds(ended.out),
              UnorderedElementsAre("stray " + stray, "unknown-file lost+found"));
}

TEST_F(LeaksOnTheStandIn, WhatIsForeignIsListedAndNoFaultAndLeftAlone) {
  const std::string foreign = Plant("tw-foreign", "another");
  const Program::Ended ended = DoctorLeaks(broker_);
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(KindsAndIds(ended.out), ElementsAre("foreign " + foreign));
  EXPECT_EQ(engine_.ContainerCount(), 1U);
}

TEST_F(LeaksOnTheStandIn, ARemovalThatIsOverdueIsAFault) {
  engine_.SetFaults([](std::size_t, const std::string& call) {
    return call.starts_with("DELETE /containers/") ? StandInEngine::Fault::kError500
                                                   : StandInEngine::Fault::kNone;
  });
  v1::RunSpec spec;
  spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
  for (const char* word : {"exit", "0"}) spec.add_command(word);
  static_cast<void>(GateClient(broker_.socket_path()).Run(spec));
  const Program::Ended ended = DoctorLeaks(broker_);
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("docker: container tw-"));
  EXPECT_THAT(ended.out, HasSubstr("\"overdue\""));
}

TEST_F(LeaksOnTheStandIn, AnEngineThatDoesNotAnswerIsAFault) {
  engine_.SetFaults([](std::size_t, const std::string& call) {
    return call == "GET /containers/json" ? StandInEngine::Fault::kError500
                                          : StandInEngine::Fault::kNone;
  });
  const Program::Ended ended = DoctorLeaks(broker_);
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(KindsAndIds(ended.out), ElementsAre("not-compared "));
}

TEST_F(LeaksOnTheStandIn, ArgumentsAreAMistake) {
  EXPECT_EQ(Program("tidewaiter", {"doctor", "--leaks", "x"}).Wait().status, 2);
}

TEST(Leaks, WhoeverMayNotOperateIsRefused) {
  const ScratchFolder folder;
  const StandInEngine engine{folder / "engine.sock"};
  std::string policy = BrokerProcess::StandInPolicy();
  const std::string roles = R"("run", "operate", "audit")";
  const std::size_t at = policy.find(roles);
  ASSERT_NE(at, std::string::npos);
  policy.replace(at, roles.size(), R"("run")");
  const BrokerProcess broker{{.docker_socket = folder / "engine.sock", .policy = policy}};
  const Program::Ended ended = DoctorLeaks(broker);
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("operate"));
}

TEST(Leaks, NothingIsLeftOnTheRealEngineAfterARun) {
  TW_REQUIRE_LAB(lab);
  const BrokerProcess broker{{.docker_socket = lab.docker_socket}};
  v1::RunSpec spec;
  spec.set_image(lab.image);
  spec.add_command("true");
  EXPECT_EQ(GateClient(broker.socket_path()).Run(spec).Result().exit_code(), 0);
  const Program::Ended ended = DoctorLeaks(broker);
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  for (const std::string& leak : KindsAndIds(ended.out)) EXPECT_THAT(leak, HasSubstr("foreign "));
}

}  // namespace
}  // namespace tidewaiter::testing
