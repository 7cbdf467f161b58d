// What a cluster does not do, through the real daemon: each is an error with a name, told soon, and
// leaves nothing behind (KubernetesWorld).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/kubernetes_world.h"

namespace tidewaiter::testing {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class KubernetesRefusal : public KubernetesWorld {
 protected:
  // Runs to its end, which must be a failure of that name, told within that time.
  std::string MessageOfFailure(const v1::RunSpec& spec, const std::string& reason, seconds within) {
    const auto begun = steady_clock::now();
    auto told = steady_clock::time_point::max();
    const Transcript transcript =
        Run(spec, [&](const v1::RunEvent& event, GateClient::Stream&, grpc::ClientContext&) {
          if (event.has_result()) told = steady_clock::now();
        });
    EXPECT_LT(told - begun, within);
    EXPECT_TRUE(transcript.status.ok()) << transcript.status.error_message();
    EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::FAILED);
    EXPECT_EQ(transcript.Result().reason(), reason) << transcript.Result().ShortDebugString();
    receipt_ = transcript.Receipt();
    EXPECT_EQ(RecordedOutcome(), "FAILED");
    return transcript.Result().message();
  }
  v1::Receipt receipt_;
};

TEST_F(KubernetesRefusal, ImageThatCannotBePulledFailsInTheClustersWords) {
  // Without asking the registry first, which would say so itself.
  Begin({.cluster = "pull_failure_timeout = \"2s\"\n", .policy = "[images]\nverify_tag = false\n"});
  v1::RunSpec spec = Shell("true");
  const std::string none = "sha256:" + std::string(64, '0');
  spec.set_image(lab_.registry + "/lab/toolbox:1.0.0@" + none);
  EXPECT_THAT(MessageOfFailure(spec, "IMAGE_UNAVAILABLE", seconds(15)),
              AllOf(HasSubstr("pull the image"),
                    AnyOf(HasSubstr("not found"), HasSubstr("Back-off")), HasSubstr(none)));
  EXPECT_TRUE(receipt_.complete());
}

TEST_F(KubernetesRefusal, RunThatFitsNoNodeIsUnschedulable) {
  Begin({.cluster = "schedule_timeout = \"2s\"\nnode_selector = { \"tidewaiter.io/none\" = \"x\" "
                    "}\n"});
  EXPECT_THAT(MessageOfFailure(Shell("true"), "UNSCHEDULABLE", seconds(15)),
              HasSubstr("0/1 nodes are available"));
  EXPECT_TRUE(receipt_.complete());
}

TEST_F(KubernetesRefusal, QuotaOfJobsThatIsUsedUpIsNamed) {
  const ClusterNamespace own(*admin_, "count/jobs.batch: \"0\"");
  Begin({.name_space = own.name()});
  EXPECT_THAT(MessageOfFailure(Shell("true"), "QUOTA_EXCEEDED", seconds(15)),
              HasSubstr("exceeded quota: runs, requested: count/jobs.batch=1"));
  EXPECT_TRUE(receipt_.complete());
}

// The Job is made; its controller is refused the pod.
TEST_F(KubernetesRefusal, QuotaOfPodsThatIsUsedUpIsNamed) {
  const ClusterNamespace own(*admin_, "pods: \"0\"");
  Begin({.name_space = own.name()});
  EXPECT_THAT(MessageOfFailure(Shell("true"), "QUOTA_EXCEEDED", seconds(25)),
              HasSubstr("exceeded quota: runs, requested: pods=1"));
  EXPECT_TRUE(receipt_.complete());
}

TEST_F(KubernetesRefusal, RunIsPossibleAgainOnceTheQuotaHasRoom) {
  const ClusterNamespace own(*admin_, "count/jobs.batch: \"1\"");
  Begin({.name_space = own.name()});
  const std::string first = Start(Shell("echo up; sleep 300")).run_id();
  AwaitOutput(first, "up\n");
  const Transcript refused = Run(Shell("true"));
  EXPECT_EQ(refused.Result().reason(), "QUOTA_EXCEEDED") << refused.Result().ShortDebugString();
  EXPECT_EQ(Ask({"cancel", first}).status, 0);
  EXPECT_EQ(Wait(first).result().outcome(), v1::RunResult::CANCELLED);
  Transcript again;
  // The cluster counts a moment later.
  EXPECT_TRUE(Eventually([&] {
    again = Run(Shell("exit 3"));
    return again.Result().reason() != "QUOTA_EXCEEDED";
  }));
  EXPECT_EQ(again.Result().exit_code(), 3) << again.Result().ShortDebugString();
}

// Nobody may look into what is not there.
TEST_F(KubernetesRefusal, NamespaceThatIsNotThereIsNamed) {
  Begin({.name_space = "tidewaiter-none"});
  const std::string message = MessageOfFailure(Shell("true"), "CLUSTER_FORBIDDEN", seconds(15));
  EXPECT_THAT(message, HasSubstr("tidewaiter-none"));
}

TEST_F(KubernetesRefusal, TokenThatIsNotTakenIsNamed) {
  Begin({.token = "e30.e30.wrong-s3cret"});
  EXPECT_THAT(MessageOfFailure(Shell("true"), "CLUSTER_UNAUTHORIZED", seconds(15)),
              HasSubstr("Unauthorized"));
  EXPECT_THAT(broker_->Log(), ::testing::Not(HasSubstr("wrong-s3cret")));
  const Program::Ended doctor = Ask({"doctor"});
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.out, HasSubstr("Unauthorized"));
}

TEST_F(KubernetesRefusal, ClusterThatIsNotReachedIsNamed) {
  Begin({.server = "https://127.0.0.1:1"});  // tcpmux, which nothing here serves
  MessageOfFailure(Shell("true"), "ENGINE_UNAVAILABLE", seconds(15));
  const Program::Ended doctor = Ask({"doctor"});
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.out, HasSubstr("127.0.0.1:1"));
  // The engine's runs have nothing to do with it.
  v1::RunSpec spec = Shell("exit 3");
  spec.set_backend("docker");
  EXPECT_EQ(Run(spec).Result().exit_code(), 3);
}

}  // namespace
}  // namespace tidewaiter::testing
