// The program `tidewaiter` against the real daemon with a real cluster: what a script sees is what
// it sees of the engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/kubernetes_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Decoded(const std::string& base64) {
  std::vector<unsigned char> bytes(base64.size());
  const int length =
      EVP_DecodeBlock(bytes.data(), std::bit_cast<const unsigned char*>(base64.data()),
                      static_cast<int>(base64.size()));
  const auto padding = static_cast<int>(base64.size() - base64.find_last_not_of('=') - 1);
  return {bytes.begin(), bytes.begin() + std::max(0, length - padding)};
}

class KubernetesCli : public KubernetesWorld {
 protected:
  void SetUp() override {
    KubernetesWorld::SetUp();
    if (admin_) Begin();
  }

  // What `tidewaiter run --json` prints, without what differs from run to run and what a backend
  // has of its own: ids, the engine's id of the image, durations, the receipt's kinds, and into
  // how many pieces the output is cut.
  static std::vector<nlohmann::json> Comparable(const std::string& lines) {
    std::vector<nlohmann::json> events;
    std::string output;
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) {
      nlohmann::json event = nlohmann::json::parse(line);
      if (event.contains("imageProgress")) continue;
      if (event.contains("admitted")) {
        event["admitted"].erase("runId");
        EXPECT_EQ(event["admitted"]["effective"].erase("backend"), 1U);
      }
      if (event.contains("started")) {
        EXPECT_NE(event["started"]["containerId"], "");
        event["started"].erase("containerId");
        event["started"].erase("imageId");
      }
      if (event.contains("output")) {
        output += Decoded(event["output"]["data"]);
        continue;
      }
      if (event.contains("result")) event["result"].erase("duration");
      if (event.contains("receipt")) event["receipt"].erase("removals");
      events.push_back(std::move(event));
    }
    events.emplace_back(output);
    return events;
  }
};

TEST_F(KubernetesCli, TheSameCommandLineSaysTheSameOnBothBackends) {
  const std::vector<std::vector<std::string>> commands = {
      {"sh", "-c", "echo $A; id; pwd; exit 3"},
      {"true"},
      {"sh", "-c", "sh -c 'kill -9 $$'; exit $?"}};
  for (const std::vector<std::string>& command : commands) {
    const auto on = [&](const std::string& backend) {
      return Ask(RunWords({"--json", "--backend", backend, "-e", "A=b c", "-w", "/tmp", "-u",
                           "1000:1001", "--label", "team=blue"},
                          command));
    };
    const Program::Ended cluster = on("kubernetes");
    const Program::Ended engine = on("docker");
    EXPECT_EQ(cluster.status, engine.status) << cluster.err;
    EXPECT_EQ(Comparable(cluster.out), Comparable(engine.out)) << cluster.out << engine.out;
    EXPECT_EQ(cluster.err, engine.err);
    EXPECT_FALSE(Comparable(cluster.out).empty());
  }
}

TEST_F(KubernetesCli, StdinIsTheSameOnBothBackends) {
  std::string lines;
  for (int i = 0; i < 60'000; ++i) lines += "line " + std::to_string(i) + "\n";
  for (const char* backend : {"kubernetes", "docker"}) {
    const auto program = Launch(RunWords({"-i", "--backend", backend},
                                         {"sh", "-c", "read first; echo $first; md5sum; exit 6"}));
    program->Feed("first\n");
    // It is there before the rest is sent.
    ASSERT_TRUE(program->Prints("first\n")) << backend;
    program->Feed(lines);
    program->CloseStdin();
    const Program::Ended ended = program->Wait(kWithin);
    EXPECT_EQ(ended.status, 6) << backend << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("5f6670fdeef515e64245958dae7f90d4")) << backend;
  }
}

TEST_F(KubernetesCli, ThePolicysBackendIsThatOfRunsThatNameNone) {
  const Program::Ended ended = Ask(RunWords({"--json"}, {"sh", "-c", "hostname; exit 4"}));
  EXPECT_EQ(ended.status, 4) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr(R"("backend":"kubernetes")"));
  EXPECT_THAT(ended.out, HasSubstr(R"({"kind":"job",)"));
}

TEST_F(KubernetesCli, OneCtrlCCancelsAndWaitsForTheReceipt) {
  const auto program = Launch(RunWords({}, {"sh", "-c", "echo up; sleep 300"}));
  ASSERT_TRUE(program->Prints("up\n"));
  program->Signal(SIGINT);
  const Program::Ended ended = program->Wait(kWithin);
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(ended.err, HasSubstr("cancelled"));
  EXPECT_THAT(ended.err, HasSubstr(": removed"));
}

TEST_F(KubernetesCli, ATimeoutIsAHundredAndTwentyFourWithTheOutputUntilThen) {
  const Program::Ended ended = Ask(RunWords(
      {"--timeout", "2s"}, {"sh", "-c", "echo one; sleep 1; echo two; sleep 300; echo three"}));
  EXPECT_EQ(ended.status, 124);
  EXPECT_EQ(ended.out, "one\ntwo\n");
  EXPECT_THAT(ended.err, HasSubstr("tidewaiter: timed out after 2 s\n"));
}

TEST_F(KubernetesCli, ACommandThatIsNotThereIsAHundredAndTwentySeven) {
  EXPECT_EQ(Ask(RunWords({}, {"/no/such/command"})).status, 127);
}

TEST_F(KubernetesCli, ACommandThatCannotBeInvokedIsAHundredAndTwentySix) {
  EXPECT_EQ(Ask(RunWords({}, {"/bin"})).status, 126);
}

TEST_F(KubernetesCli, LogsAndWaitTellOfADetachedRun) {
  const Program::Ended started =
      Ask(RunWords({"-d"}, {"sh", "-c", "echo one; sleep 1; echo two; exit 5"}));
  ASSERT_EQ(started.status, 0) << started.err;
  const std::string run_id = started.out.substr(0, started.out.find('\n'));
  const Program::Ended followed = Ask({"logs", "-f", run_id});
  EXPECT_EQ(followed.out, "one\ntwo\n");
  EXPECT_EQ(Ask({"wait", run_id}).status, 5);
  EXPECT_EQ(Ask({"logs", run_id}).out, "one\ntwo\n");
}

TEST_F(KubernetesCli, DoctorShowsTheCluster) {
  const Program::Ended ended = Ask({"doctor", "--config", broker_->folder() + "/tidewaiter.toml"});
  EXPECT_EQ(ended.status, 0) << ended.out;
  EXPECT_THAT(ended.out, ContainsRegex("OK +broker: engine +kubernetes v1[.][0-9.]+, namespace " +
                                       cluster_->name_space));
  EXPECT_THAT(ended.out, Not(HasSubstr("FAIL")));
}

TEST_F(KubernetesCli, DoctorFindsNoLeaksWhileRunsGoOnAndAfterThem) {
  // Its pod is in the journal, too.
  const Program::Ended detached = Ask(RunWords({"-d"}, {"sleep", "300"}));
  ASSERT_EQ(detached.status, 0) << detached.err;
  const std::string run_id = detached.out.substr(0, detached.out.find('\n'));
  const auto program = Launch(RunWords({}, {"sh", "-c", "echo up; sleep 300"}));
  ASSERT_TRUE(program->Prints("up\n"));
  const Program::Ended meanwhile = Ask({"doctor", "--leaks"});
  EXPECT_EQ(meanwhile.status, 0) << meanwhile.out;
  program->Signal(SIGINT);
  EXPECT_EQ(program->Wait(kWithin).status, 130);
  EXPECT_EQ(Ask({"cancel", run_id}).status, 0);
  EXPECT_EQ(Ask({"wait", run_id}).status, 130);
  const Program::Ended afterwards = Ask({"doctor", "--leaks"});
  EXPECT_EQ(afterwards.status, 0) << afterwards.out;
}

}  // namespace
}  // namespace tidewaiter::testing
