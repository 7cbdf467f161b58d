// Every way in which a run can end, through the real daemon on a real engine. After each: nothing
// of the broker's on the engine, no run directory, exactly one terminal record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/lab.h"

namespace tidewaiter::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ExitPath : public ::testing::Test {
 protected:
  void SetUp() override {
    TW_REQUIRE_LAB(lab);
    lab_ = lab;
    broker_ = std::make_unique<BrokerProcess>(
        BrokerProcess::Options{.docker_socket = lab_.docker_socket,
                               .settings = "stop_grace = \"1s\"\ndrain_timeout = \"1s\"\n"});
    client_ = std::make_unique<GateClient>(broker_->socket_path());
  }

  [[nodiscard]] std::string Digest() const { return lab_.image.substr(lab_.image.find('@') + 1); }

  [[nodiscard]] v1::RunSpec Shell(const std::string& script) const {
    v1::RunSpec spec;
    spec.set_image(lab_.image);
    for (const std::string& word : {std::string("sh"), std::string("-c"), script})
      spec.add_command(word);
    spec.mutable_limits()->set_memory_bytes(64 << 20);
    return spec;
  }

  void ExpectNothingLeft() {
    EXPECT_TRUE(Eventually(std::chrono::seconds(20), [&] {
      return LabelledLeftovers(lab_.docker_socket, broker_->broker_id()).empty() &&
             std::filesystem::is_empty(broker_->runs_folder());
    })) << ::testing::PrintToString(LabelledLeftovers(lab_.docker_socket, broker_->broker_id()));
  }

  // The outcome in the run's only terminal record.
  std::string RecordedOutcome() {
    std::vector<std::string> outcomes;
    Eventually(std::chrono::seconds(20), [&] {
      outcomes.clear();
      for (const std::string& line : client_->AuditLines()) {
        const auto record = nlohmann::json::parse(line);
        if (record["type"] == "run.finished") outcomes.push_back(record["outcome"]["kind"]);
      }
      return !outcomes.empty();
    });
    EXPECT_EQ(outcomes.size(), 1U);
    return outcomes.empty() ? "" : outcomes.front();
  }

  Lab lab_;
  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<GateClient> client_;
};

TEST_F(ExitPath, ExitStatusAndBothStreamsAreTheJobs) {
  const Transcript transcript = client_->Run(Shell("echo out; echo err >&2; exit 7"));
  ASSERT_TRUE(transcript.status.ok()) << transcript.status.error_message();
  EXPECT_EQ(transcript.Stdout(), "out\n");
  EXPECT_EQ(transcript.Stderr(), "err\n");
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(transcript.Result().exit_code(), 7);
  EXPECT_TRUE(transcript.Receipt().complete());
  EXPECT_GE(transcript.Receipt().removals_size(), 1);
  EXPECT_EQ(transcript.Started().resolved_digest(), Digest());
  EXPECT_EQ(RecordedOutcome(), "EXITED");
  ExpectNothingLeft();
}

TEST_F(ExitPath, TimeoutEndsTheRun) {
  v1::RunSpec spec = Shell("trap '' TERM; echo begun; while :; do sleep 1; done");
  spec.mutable_limits()->mutable_timeout()->set_seconds(1);
  const Transcript transcript = client_->Run(spec);
  EXPECT_EQ(transcript.Stdout(), "begun\n");
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::TIMED_OUT);
  EXPECT_TRUE(transcript.Receipt().complete());
  EXPECT_EQ(RecordedOutcome(), "TIMED_OUT");
  ExpectNothingLeft();
}

TEST_F(ExitPath, CancelEndsTheRunAndStillGivesTheReceipt) {
  const Transcript transcript =
      client_->Run(Shell("echo begun; sleep 600"),
                   [](const v1::RunEvent& event, GateClient::Stream& stream, grpc::ClientContext&) {
                     if (!event.has_output()) return;
                     v1::RunRequest cancel;
                     cancel.mutable_cancel();
                     stream.Write(cancel);
                   });
  ASSERT_TRUE(transcript.status.ok()) << transcript.status.error_message();
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::CANCELLED);
  EXPECT_TRUE(transcript.Receipt().complete());
  EXPECT_EQ(RecordedOutcome(), "CANCELLED");
  ExpectNothingLeft();
}

TEST_F(ExitPath, ClientThatVanishesTakesTheRunWithIt) {
  client_->Run(Shell("echo begun; sleep 600"),
               [](const v1::RunEvent& event, GateClient::Stream&, grpc::ClientContext& context) {
                 if (event.has_output()) context.TryCancel();
               });
  EXPECT_EQ(RecordedOutcome(), "CLIENT_GONE");
  ExpectNothingLeft();
}

// The engine's init process (tini) starts the command and tells of what it could not.
TEST_F(ExitPath, MissingCommandIsStatus127) {
  v1::RunSpec spec = Shell("");
  spec.clear_command();
  spec.add_command("/no/such/program");
  const Transcript transcript = client_->Run(spec);
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(transcript.Result().exit_code(), 127);
  EXPECT_THAT(transcript.Stderr(), HasSubstr("/no/such/program"));
  EXPECT_TRUE(transcript.Receipt().complete());
  EXPECT_EQ(RecordedOutcome(), "EXITED");
  ExpectNothingLeft();
}

TEST_F(ExitPath, CommandThatIsNoProgramIsStatus126) {
  v1::RunSpec spec = Shell("");
  spec.clear_command();
  spec.add_command("/etc/passwd");
  const Transcript transcript = client_->Run(spec);
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(transcript.Result().exit_code(), 126);
  EXPECT_THAT(transcript.Stderr(), HasSubstr("/etc/passwd"));
  ExpectNothingLeft();
}

TEST_F(ExitPath, ImageThatIsNotThereFailsByName) {
  v1::RunSpec spec = Shell("true");
  spec.set_image(lab_.registry + "/lab/missing:1.0.0@" + Digest());
  const Transcript transcript = client_->Run(spec);
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::FAILED);
  EXPECT_THAT(transcript.Result().reason(), ::testing::AnyOf("TAG_MISMATCH", "IMAGE_UNAVAILABLE"));
  EXPECT_EQ(RecordedOutcome(), "FAILED");
  ExpectNothingLeft();
}

TEST_F(ExitPath, MemoryBeyondTheLimitIsAnOomKill) {
  v1::RunSpec spec = Shell("dd if=/dev/zero of=/dev/null bs=256M count=1");
  spec.mutable_limits()->set_memory_bytes(16 << 20);
  const Transcript transcript = client_->Run(spec);
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(transcript.Result().exit_code(), 137);
  EXPECT_TRUE(transcript.Result().oom_killed());
  ExpectNothingLeft();
}

TEST_F(ExitPath, BrokerThatIsStoppedTearsDownFirst) {
  const Transcript transcript =
      client_->Run(Shell("echo begun; sleep 600"),
                   [&](const v1::RunEvent& event, GateClient::Stream&, grpc::ClientContext&) {
                     if (event.has_output()) ::kill(broker_->pid(), SIGTERM);
                   });
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::SHUTDOWN);
  EXPECT_TRUE(transcript.Receipt().complete());
  EXPECT_EQ(broker_->Stop(), 0);
  EXPECT_THAT(LabelledLeftovers(lab_.docker_socket, broker_->broker_id()), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(broker_->runs_folder()));
}

TEST_F(ExitPath, BrokerThatIsKilledCleansUpAtItsNextStart) {
  client_->Run(Shell("echo begun; sleep 600"),
               [&](const v1::RunEvent& event, GateClient::Stream&, grpc::ClientContext&) {
                 if (event.has_output()) broker_->Kill();
               });
  EXPECT_FALSE(LabelledLeftovers(lab_.docker_socket, broker_->broker_id()).empty());
  broker_->Restart();
  client_ = std::make_unique<GateClient>(broker_->socket_path());
  EXPECT_EQ(RecordedOutcome(), "LOST");
  ExpectNothingLeft();
}

TEST_F(ExitPath, IsolatedRunGetsANetworkThatGoesWithIt) {
  v1::RunSpec spec = Shell("ip -4 addr show eth0 | grep -c inet");
  spec.mutable_network()->set_mode(v1::Network::ISOLATED);
  const Transcript transcript = client_->Run(spec);
  EXPECT_EQ(transcript.Stdout(), "1\n") << transcript.Stderr();
  EXPECT_EQ(transcript.Receipt().removals_size(), 3);  // container, network, run directory
  EXPECT_TRUE(transcript.Receipt().complete());
  ExpectNothingLeft();
}

TEST_F(ExitPath, StdinReachesTheJobAndEnds) {
  bool sent = false;
  const Transcript transcript = client_->Run(
      Shell("cat; echo end"),
      [&](const v1::RunEvent& event, GateClient::Stream& stream, grpc::ClientContext&) {
        if (sent || !event.has_started()) return;
        sent = true;
        v1::RunRequest request;
        request.set_stdin("from the client\n");
        stream.Write(request);
        request.mutable_stdin_end();
        stream.Write(request);
      },
      true);
  EXPECT_EQ(transcript.Stdout(), "from the client\nend\n");
  EXPECT_EQ(transcript.Result().exit_code(), 0);
}

// What the job sees of the world is what the policy promises.
TEST_F(ExitPath, JobIsHardened) {
  const Transcript transcript =
      client_->Run(Shell("id -u; id -g; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' "
                         "/proc/self/status | tr -d '\\t'; "
                         "touch /x 2>/dev/null || echo read-only; grep -c ' /tmp tmpfs "
                         "rw,nosuid,nodev,noexec' /proc/mounts; "
                         "echo $HOME; ls /sys/class/net; ulimit -n"));
  EXPECT_EQ(
      transcript.Stdout(),
      "65534\n65534\nCapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n"
      "read-only\n1\n/tmp\nlo\n1024\n")
      << transcript.Stderr();
}

TEST_F(ExitPath, SecretsNeverReachTheAuditLogOrTheDaemonsOwn) {
  v1::RunSpec spec = Shell("echo hello # argument-s3cret");
  (*spec.mutable_env())["TOKEN"] = "environment-s3cret";
  client_->Run(spec);
  ExpectNothingLeft();
  for (const std::string& line : client_->AuditLines())
    EXPECT_THAT(line, ::testing::Not(HasSubstr("s3cret")));
  EXPECT_THAT(broker_->Log(), ::testing::Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace tidewaiter::testing
