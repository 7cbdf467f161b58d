#include "broker/kubernetes/pod_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidewaiter::kubernetes {
namespace {

using State = ContainerView::State;
using Kind = Hindrance::Kind;
using ::testing::HasSubstr;

// Of a pod that nobody is ending.
std::optional<run::ContainerExit> EndOf(const PodView& pod) {
  return kubernetes::EndOf(pod, /*kill_expected=*/false);
}

PodView Terminated(std::int32_t code, std::string reason, std::string message = "") {
  PodView pod;
  pod.phase = code == 0 ? "Succeeded" : "Failed";
  pod.scheduled = true;
  pod.job.state = State::kTerminated;
  pod.job.exit_code = code;
  pod.job.reason = std::move(reason);
  pod.job.message = std::move(message);
  return pod;
}

PodView Waiting(std::string reason, std::string message = "") {
  PodView pod;
  pod.phase = "Pending";
  pod.scheduled = true;
  pod.job.state = State::kWaiting;
  pod.job.reason = std::move(reason);
  pod.job.message = std::move(message);
  return pod;
}

std::string LostAs(const PodView& pod) {
  const auto end = EndOf(pod);
  if (!end) return "no end";
  return end->lost ? std::string(end->lost->Reason()) : "not lost";
}

TEST(PodEndTest, CodeIsTheContainers) {
  for (const int code : {0, 1, 127, 137, 255}) {
    const auto end = EndOf(Terminated(code, code == 0 ? "Completed" : "Error"));
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->exit_code, code);
    EXPECT_FALSE(end->oom_killed || end->command_failed || end->lost.has_value());
  }
}

TEST(PodEndTest, EndOfTheContainerIsNotWaitedForThePods) {
  PodView pod = Terminated(4, "Error");
  pod.phase = "Running";
  EXPECT_EQ(EndOf(pod)->exit_code, 4);
}

TEST(PodEndTest, NodeSaysHowLongItRan) {
  PodView pod = Terminated(0, "Completed");
  EXPECT_FALSE(EndOf(pod)->ran.has_value());
  pod.job.started_at = std::chrono::system_clock::time_point(std::chrono::seconds(100));
  pod.job.finished_at = std::chrono::system_clock::time_point(std::chrono::seconds(103));
  EXPECT_EQ(EndOf(pod)->ran, std::chrono::seconds(3));
  // A clock that was set back meanwhile.
  pod.job.finished_at = std::chrono::system_clock::time_point(std::chrono::seconds(99));
  EXPECT_FALSE(EndOf(pod)->ran.has_value());
}

TEST(PodEndTest, InputsThatWereNotUnpackedAreTheEndInTheContainersWords) {
  PodView pod = Waiting("PodInitializing");
  pod.phase = "Failed";
  pod.preparation.state = State::kTerminated;
  pod.preparation.exit_code = 1;
  pod.preparation.reason = "Error";
  pod.preparation.message = "tidewaiter-carrier: unpack into /x: truncated";
  EXPECT_EQ(LostAs(pod), "PREPARE_FAILED");
  EXPECT_THAT(EndOf(pod)->lost->message, HasSubstr("status 1: Error: tidewaiter-carrier: unpack"));
  pod.preparation.exit_code = 0;
  EXPECT_EQ(LostAs(pod), "POD_FAILED");
}

TEST(PodEndTest, ImageOfTheCarrierMayBeWhatHinders) {
  for (ContainerView PodView::*const carrier : {&PodView::preparation, &PodView::outputs}) {
    PodView pod = Waiting("PodInitializing");
    pod.scheduled = true;
    (pod.*carrier).state = State::kWaiting;
    (pod.*carrier).reason = "ImagePullBackOff";
    (pod.*carrier).message = "Back-off";
    const Hindrance hindrance = HindranceOf(pod);
    EXPECT_EQ(hindrance.kind, Kind::kImage);
    EXPECT_THAT(hindrance.error.message, HasSubstr("image of the carrier: ImagePullBackOff"));
  }
}

TEST(PodEndTest, OutOfMemoryIsTold) {
  const auto end = EndOf(Terminated(137, "OOMKilled"));
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(end->oom_killed);
  EXPECT_EQ(end->exit_code, 137);
}

TEST(PodEndTest, ContainerThatMayRunHasNoEnd) {
  PodView running;
  running.phase = "Running";
  running.job.state = State::kRunning;
  EXPECT_FALSE(EndOf(running).has_value());
  EXPECT_FALSE(EndOf(Waiting("ContainerCreating")).has_value());
  EXPECT_FALSE(EndOf(PodView()).has_value());
  PodView unknown;
  unknown.phase = "Unknown";
  EXPECT_FALSE(EndOf(unknown).has_value());
}

TEST(PodEndTest, EvictionIsALossWhateverTheContainersCode) {
  PodView pod = Terminated(137, "Error");
  pod.reason = "Evicted";
  pod.message = "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi.";
  EXPECT_EQ(LostAs(pod), "EVICTED");
  EXPECT_THAT(EndOf(pod)->lost->message, HasSubstr("local storage usage exceeds"));
  EXPECT_EQ(EndOf(pod)->lost->code, ErrorCode::kUnavailable);
  pod.job = {};
  EXPECT_EQ(LostAs(pod), "EVICTED");
}

TEST(PodEndTest, DeadlineIsALossWhateverTheContainersCode) {
  PodView pod = Terminated(143, "Error");
  pod.reason = "DeadlineExceeded";
  EXPECT_EQ(LostAs(pod), "JOB_DEADLINE_EXCEEDED");
}

TEST(PodEndTest, PodThatEndedWithoutItsContainersEndIsALoss) {
  PodView pod = Waiting("ContainerCreating");
  pod.phase = "Failed";
  pod.reason = "NodeAffinity";
  pod.message = "Predicate NodeAffinity failed";
  EXPECT_EQ(LostAs(pod), "POD_FAILED");
  EXPECT_THAT(EndOf(pod)->lost->message, HasSubstr("NodeAffinity: Predicate NodeAffinity failed"));
  pod.phase = "Succeeded";
  EXPECT_EQ(LostAs(pod), "POD_FAILED");
}

struct StartFailure {
  const char* name;
  const char* reason;
  const char* message;
  int code;  // 0: not the command's fault
};

class CommandCannotStart : public ::testing::TestWithParam<StartFailure> {};

TEST_P(CommandCannotStart, IsTold) {
  // The runtime's own code is 127 or 128, whatever the cause.
  const auto end = EndOf(Terminated(128, GetParam().reason, GetParam().message));
  ASSERT_TRUE(end.has_value());
  if (GetParam().code == 0) {
    ASSERT_TRUE(end->lost.has_value());
    EXPECT_EQ(end->lost->Reason(), "CONTAINER_CONFIG");
    EXPECT_THAT(end->lost->message, HasSubstr(GetParam().message));
    return;
  }
  EXPECT_FALSE(end->lost.has_value());
  EXPECT_TRUE(end->command_failed);
  EXPECT_EQ(end->exit_code, GetParam().code);
  EXPECT_EQ(end->message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    PodEndTest, CommandCannotStart,
    ::testing::Values(
        StartFailure{
            "NotFoundDockershim", "ContainerCannotRun",
            "OCI runtime create failed: container_linux.go:380: starting container "
            "process caused: exec: \"nosuch\": executable file not found in $PATH: unknown",
            127},
        StartFailure{"NotFoundContainerd", "StartError",
                     "failed to create containerd task: OCI runtime create failed: runc create "
                     "failed: unable to start container process: exec: \"/nosuch\": stat /nosuch: "
                     "no such file or directory: unknown",
                     127},
        StartFailure{"NotExecutable", "ContainerCannotRun",
                     "starting container process caused: exec: \"/etc/passwd\": permission denied",
                     126},
        StartFailure{"Folder", "StartError",
                     "unable to start container process: exec: \"/etc\": is a directory: unknown",
                     126},
        StartFailure{"NoProgram", "StartError", "exec: \"/data\": exec format error", 126},
        StartFailure{"WorkingDir", "ContainerCannotRun",
                     "chdir to cwd (\\\"/x\\\") set in config.json failed: permission denied", 0},
        StartFailure{"MountTarget", "StartError", "mounting x: no such file or directory", 0},
        StartFailure{"OtherWords", "StartError", "exec: something else", 0}),
    [](const auto& failure) { return std::string(failure.param.name); });

// A program may print what it likes into its termination message.
TEST(PodEndTest, MessageOfAProgramThatRanIsNoFailureToStart) {
  const auto end = EndOf(Terminated(1, "Error", "exec: \"x\": executable file not found"));
  ASSERT_TRUE(end.has_value());
  EXPECT_FALSE(end->command_failed);
  EXPECT_EQ(end->exit_code, 1);
}

struct Wait {
  const char* reason;
  Kind kind;
  bool final;
};

class ContainerWaits : public ::testing::TestWithParam<Wait> {};

TEST_P(ContainerWaits, ForThis) {
  const Hindrance hindrance = HindranceOf(Waiting(GetParam().reason, "the words"));
  EXPECT_EQ(hindrance.kind, GetParam().kind);
  EXPECT_EQ(hindrance.final, GetParam().final);
  if (hindrance.kind == Kind::kNone) return;
  EXPECT_EQ(hindrance.error.Reason(),
            hindrance.kind == Kind::kImage ? "IMAGE_UNAVAILABLE" : "CONTAINER_CONFIG");
  EXPECT_THAT(hindrance.error.message, HasSubstr(std::string(GetParam().reason) + ": the words"));
  EXPECT_FALSE(EndOf(Waiting(GetParam().reason)).has_value());
}

INSTANTIATE_TEST_SUITE_P(PodEndTest, ContainerWaits,
                         ::testing::Values(Wait{"ErrImagePull", Kind::kImage, false},
                                           Wait{"ImagePullBackOff", Kind::kImage, false},
                                           Wait{"ImageInspectError", Kind::kImage, false},
                                           Wait{"RegistryUnavailable", Kind::kImage, false},
                                           Wait{"ErrImageNeverPull", Kind::kImage, true},
                                           Wait{"InvalidImageName", Kind::kImage, true},
                                           Wait{"CreateContainerConfigError", Kind::kConfig, false},
                                           Wait{"CreateContainerError", Kind::kConfig, false},
                                           Wait{"PreCreateHookError", Kind::kConfig, false},
                                           Wait{"RunContainerError", Kind::kConfig, false},
                                           Wait{"ContainerCreating", Kind::kNone, false},
                                           Wait{"PodInitializing", Kind::kNone, false},
                                           Wait{"", Kind::kNone, false}),
                         [](const auto& wait) {
                           return *wait.param.reason == '\0' ? "Nothing"
                                                             : std::string(wait.param.reason);
                         });

TEST(PodEndTest, PodWithoutANodeIsTold) {
  PodView pod;
  pod.phase = "Pending";
  EXPECT_EQ(HindranceOf(pod).kind, Kind::kNone);
  pod.unschedulable = "0/1 nodes are available";
  const Hindrance hindrance = HindranceOf(pod);
  EXPECT_EQ(hindrance.kind, Kind::kUnschedulable);
  EXPECT_FALSE(hindrance.final);
  EXPECT_EQ(hindrance.error.code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(hindrance.error.Reason(), "UNSCHEDULABLE");
  EXPECT_THAT(hindrance.error.message, HasSubstr("0/1 nodes are available"));
}

TEST(PodEndTest, NothingHindersAContainerThatRuns) {
  PodView pod;
  pod.scheduled = true;
  pod.job.state = State::kRunning;
  pod.job.reason = "ErrImagePull";
  EXPECT_EQ(HindranceOf(pod).kind, Kind::kNone);
}

TEST(PodEndTest, CodeThatTheNodeMadeUpIsNobodysWord) {
  EXPECT_EQ(LostAs(Terminated(137, "ContainerStatusUnknown")), "POD_FAILED");
  EXPECT_EQ(LostAs(Terminated(255, "Unknown")), "POD_FAILED");
}

TEST(PodEndTest, WhatSomebodyElseDeletesIsLost) {
  const std::chrono::system_clock::time_point request(std::chrono::seconds(1'000));
  PodView pod = Terminated(143, "Error");
  pod.deletion_requested_at = request;
  pod.job.finished_at = request;
  EXPECT_EQ(LostAs(pod), "CONTAINER_LOST");
  EXPECT_EQ(kubernetes::EndOf(pod, /*kill_expected=*/true)->exit_code, 143);
  pod.job.finished_at = request + std::chrono::seconds(1);
  EXPECT_EQ(LostAs(pod), "CONTAINER_LOST");
  pod.job.finished_at = request - std::chrono::seconds(1);
  EXPECT_EQ(EndOf(pod)->exit_code, 143);
  // In the same second, by a status of its own.
  pod = Terminated(3, "Error");
  pod.deletion_requested_at = request;
  pod.job.finished_at = request;
  EXPECT_EQ(EndOf(pod)->exit_code, 3);
  // At once, while it still runs.
  pod = PodView();
  pod.job.state = State::kRunning;
  pod.deletion_requested_at = request;
  EXPECT_EQ(LostAs(pod), "CONTAINER_LOST");
  EXPECT_FALSE(kubernetes::EndOf(pod, /*kill_expected=*/true).has_value());
}

}  // namespace
}  // namespace tidewaiter::kubernetes
