// What a broker makes of a Job that a former one has left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "broker/kubernetes/kubernetes_backend.h"
#include "tests/unit/kubernetes/watch_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using State = run::Adopted::State;
using testing::Answer;

class AdoptionTest : public ClusterTest {
 protected:
  AdoptionTest()
      : steps_(*io::EventLoop::Start()),
        backend_(cluster_.http(), *steps_, Access(), settings_, {}) {}

  // Of a Job with this annotation, and with these pods.
  Result<run::Adopted> Adopt(const std::string& annotations, const std::string& pods) {
    Json job = Json::parse(Object(kRunId.value(), "j1", "7"));
    job["metadata"]["annotations"] = Json::parse(annotations);
    job["spec"] = {{"template", {{"spec", Json::object()}}}};
    cluster_.SetAnswer("GET /jobs/" + kName, Answer(200, job.dump()));
    cluster_.SetList("pods", "9", pods);
    return backend_.Adopt({.kind = run::Resource::Kind::kJob, .name = kName, .id = "j1"}, kRunId,
                          Soon());
  }

  std::unique_ptr<io::EventLoop> steps_;
  KubernetesBackend backend_;
};

TEST_F(AdoptionTest, JobWithoutAPodIsYetToBeStarted) {
  const auto adopted = Adopt("{}", "");
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kCreated);
}

// It would run the command a second time.
TEST_F(AdoptionTest, JobThatWasStoppedIsNotStartedAgain) {
  const auto adopted = Adopt(JsonText(At(StopPatch(), {"metadata", "annotations"})).value(), "");
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kEnded);
  EXPECT_EQ(adopted->container->exited().Peek()->exit_code, 137);
}

TEST_F(AdoptionTest, PodOfAJobThatWasStoppedIsWaitedForAndNotMadeAnew) {
  const auto adopted = Adopt(JsonText(At(StopPatch(), {"metadata", "annotations"})).value(),
                             Object(kRunId.value(), "p1", "8", R"({"phase":"Pending"})"));
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kRunning);
  cluster_.Say("pods", Event("DELETED", Object(kRunId.value(), "p1", "10")));
  const auto exit = adopted->container->exited().Wait({}, Soon().deadline);
  ASSERT_TRUE(exit.has_value());
  EXPECT_FALSE(exit->lost.has_value());
}

}  // namespace
}  // namespace tidewaiter::kubernetes
