// Every way in which a run on a real cluster can end, through the real daemon. After each: nothing
// of the broker's in the cluster, no run directory, exactly one terminal record (KubernetesWorld).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "tests/support/kubernetes_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class KubernetesExitPath : public KubernetesWorld {
 protected:
  void SetUp() override {
    KubernetesWorld::SetUp();
    if (admin_) Begin();
  }
  // Each ends with all that a run without inputs has.
  static void ExpectAllRemoved(const v1::Receipt& receipt) {
    EXPECT_THAT(RemovedKinds(receipt), ElementsAre("job", "pod", "network-policy", "run-directory"))
        << receipt.ShortDebugString();
  }
};

TEST_F(KubernetesExitPath, ExitStatusAndOutputAreTheJobs) {
  const Transcript transcript =
      Run(Shell("echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three; exit 7"));
  ASSERT_TRUE(transcript.status.ok()) << transcript.status.error_message();
  EXPECT_EQ(transcript.Stdout(), "one\ntwo\nthree\n");  // the cluster keeps both streams as one
  EXPECT_EQ(transcript.Stderr(), "");
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(transcript.Result().exit_code(), 7);
  EXPECT_EQ(transcript.Started().resolved_digest(), lab_.image.substr(lab_.image.find('@') + 1));
  ExpectAllRemoved(transcript.Receipt());
  EXPECT_THAT(Leftovers(), IsEmpty());  // as the receipt says, at once
  EXPECT_EQ(RecordedOutcome(), "EXITED");
}

// Lines without a feed too. (What is not UTF-8 is not kept by the lab's container runtime.)
TEST_F(KubernetesExitPath, EveryByteOfTheOutputArrives) {
  const Transcript transcript = Run(
      Shell("printf 'a\\000\\r\\nb'; head -c 100000 /dev/zero | tr '\\0' x; printf '\\303\\244'"));
  EXPECT_EQ(transcript.Stdout(),
            std::string("a\0\r\nb", 5) + std::string(100000, 'x') + "\303\244");
}

TEST_F(KubernetesExitPath, MemoryBeyondTheLimitIsAnOomKill) {
  const Transcript transcript =
      Run(Shell("echo begun; exec dd if=/dev/zero of=/dev/null bs=256M count=1"));
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(transcript.Result().exit_code(), 137);
  EXPECT_TRUE(transcript.Result().oom_killed());
  EXPECT_EQ(transcript.Stdout(), "begun\n");
  ExpectAllRemoved(transcript.Receipt());
}

TEST_F(KubernetesExitPath, MissingCommandIsStatus127) {
  const Transcript transcript = Run(Command({"/no/such/program"}));
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::COMMAND_FAILED);
  EXPECT_EQ(transcript.Result().exit_code(), 127);
  EXPECT_THAT(transcript.Result().message(), HasSubstr("/no/such/program"));
  ExpectAllRemoved(transcript.Receipt());
  EXPECT_EQ(RecordedOutcome(), "COMMAND_FAILED");
}

TEST_F(KubernetesExitPath, CommandThatIsNoProgramIsStatus126) {
  const Transcript transcript = Run(Command({"/etc/passwd"}));
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::COMMAND_FAILED);
  EXPECT_EQ(transcript.Result().exit_code(), 126);
  EXPECT_THAT(transcript.Result().message(), HasSubstr("/etc/passwd"));
  ExpectAllRemoved(transcript.Receipt());
}

TEST_F(KubernetesExitPath, TimeoutEndsARunThatIgnoresSigterm) {
  v1::RunSpec spec = Shell("trap '' TERM; echo begun; while :; do sleep 1; done");
  spec.mutable_limits()->mutable_timeout()->set_seconds(2);
  const Transcript transcript = Run(spec);
  EXPECT_THAT(transcript.Stdout(), ::testing::StartsWith("begun\n"));
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::TIMED_OUT);
  ExpectAllRemoved(transcript.Receipt());
  EXPECT_EQ(RecordedOutcome(), "TIMED_OUT");
}

TEST_F(KubernetesExitPath, CancelEndsTheRunAndStillGivesTheReceipt) {
  const Transcript transcript = Run(Shell("echo begun; sleep 600"), CancelAtOutput);
  ASSERT_TRUE(transcript.status.ok()) << transcript.status.error_message();
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::CANCELLED);
  ExpectAllRemoved(transcript.Receipt());
  EXPECT_EQ(RecordedOutcome(), "CANCELLED");
}

// Long before its container starts.
TEST_F(KubernetesExitPath, CancelEndsARunThatIsBeingMade) {
  const Transcript transcript =
      Run(Shell("sleep 600"),
          [](const v1::RunEvent& event, GateClient::Stream& stream, grpc::ClientContext&) {
            if (!event.has_admitted()) return;
            v1::RunRequest cancel;
            cancel.mutable_cancel();
            stream.Write(cancel);
          });
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::CANCELLED);
  EXPECT_TRUE(transcript.Receipt().complete());
  EXPECT_EQ(RecordedOutcome(), "CANCELLED");
}

TEST_F(KubernetesExitPath, ClientThatVanishesTakesTheRunWithIt) {
  Run(Shell("echo begun; sleep 600"),
      [](const v1::RunEvent& event, GateClient::Stream&, grpc::ClientContext& context) {
        if (event.has_output()) context.TryCancel();
      });
  ExpectNothingLeft();
  EXPECT_EQ(RecordedOutcome(), "CLIENT_GONE");
}

TEST_F(KubernetesExitPath, BrokerThatIsStoppedTearsDownFirst) {
  const Transcript transcript =
      Run(Shell("echo begun; sleep 600"),
          [&](const v1::RunEvent& event, GateClient::Stream&, grpc::ClientContext&) {
            if (event.has_output()) ::kill(broker_->pid(), SIGTERM);
          });
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::SHUTDOWN);
  ExpectAllRemoved(transcript.Receipt());
  EXPECT_EQ(broker_->Stop(kWithin), 0);
  EXPECT_THAT(Leftovers(), IsEmpty());
  EXPECT_EQ(RecordedOutcome(), "SHUTDOWN");
}

// What the job sees of the world is what the policy promises, but for what docs/POLICY.md leaves to
// others (processes, open files, the network).
TEST_F(KubernetesExitPath, JobIsHardened) {
  const Transcript transcript = Run(
      Shell("id -u; id -g; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' "
            "/proc/self/status | tr -d '\\t'; touch /x 2>/dev/null || echo read-only; "
            "touch /tmp/x && echo writable; grep ' /tmp ' /proc/mounts | cut -d' ' -f1; echo $HOME;"
            "ls /var/run/secrets /run/secrets 2>/dev/null; cat /etc/resolv.conf"));
  EXPECT_EQ(
      transcript.Stdout(),
      "65534\n65534\nCapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n"
      "read-only\nwritable\ntmpfs\n/tmp\nnameserver 192.0.2.1\n");
}

TEST_F(KubernetesExitPath, VariablesAndArgumentsAreNotExpanded) {
  v1::RunSpec spec = Command({"sh", "-c", "echo \"$A\" \"$1\"", "sh", "$(A) $$(A) $$"});
  (*spec.mutable_env())["A"] = "$(HOME) $$";
  EXPECT_EQ(Run(spec).Stdout(), "$(HOME) $$ $(A) $$(A) $$\n");
}

TEST_F(KubernetesExitPath, SecretsNeverReachTheAuditLogOrTheDaemonsOwn) {
  v1::RunSpec spec = Shell("echo hello # argument-s3cret");
  (*spec.mutable_env())["TOKEN"] = "environment-s3cret";
  EXPECT_EQ(Run(spec).Stdout(), "hello\n");
  ExpectNothingLeft();
  for (const std::string& line : client_->AuditLines()) EXPECT_THAT(line, Not(HasSubstr("s3cret")));
  EXPECT_THAT(broker_->Log(), Not(HasSubstr("s3cret")));
}

// As many as the node's two processors take at once, and nothing of any of them stays.
TEST_F(KubernetesExitPath, TwentyRunsAtOnceKeepTheirOutputsApart) {
  constexpr int kRuns = 20;
  std::vector<Transcript> transcripts(kRuns);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kRuns; ++i) {
      threads.emplace_back([&, i] {
        v1::RunSpec spec = Shell("echo run " + std::to_string(i) + "; exit " + std::to_string(i));
        spec.mutable_limits()->set_cpus(0.05);
        transcripts[static_cast<std::size_t>(i)] = Run(spec);
      });
    }
  }
  for (int i = 0; i < kRuns; ++i) {
    const Transcript& transcript = transcripts[static_cast<std::size_t>(i)];
    EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED)
        << transcript.Result().ShortDebugString();
    EXPECT_EQ(transcript.Result().exit_code(), i);
    EXPECT_EQ(transcript.Stdout(), "run " + std::to_string(i) + "\n");
    ExpectAllRemoved(transcript.Receipt());
  }
  EXPECT_THAT(Leftovers(), IsEmpty());
  EXPECT_EQ(RecordedEnds().size(), kRuns);
}

}  // namespace
}  // namespace tidewaiter::testing
