#include "broker/kubernetes/pod_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/printable.h"
#include "tests/support/cluster_recordings.h"

namespace tidewaiter::kubernetes {
namespace {

using State = ContainerView::State;
using ::testing::HasSubstr;

Json Pod(const char* status) {
  return {{"metadata", {{"name", "p"}, {"uid", "u"}}}, {"status", Json::parse(status)}};
}

Json WithState(const std::string& state) {
  return Pod((R"({"containerStatuses":[{"name":"job","state":)" + state + "}]}").c_str());
}

TEST(PodViewTest, RecordedPodIsRead) {
  const auto view = ReadPod(Json::parse(kPodAnswer));
  ASSERT_TRUE(view.has_value());
  EXPECT_THAT(view->name, HasSubstr("tw-aaaaaaaaaaaaaaaaaaaaaaaaaa-"));
  EXPECT_EQ(view->uid.size(), 36U);
  EXPECT_EQ(view->phase, "Pending");
  EXPECT_TRUE(view->scheduled);
  EXPECT_TRUE(view->unschedulable.empty());
  EXPECT_FALSE(view->deletion_requested_at.has_value());
  EXPECT_FALSE(view->Ended());
  EXPECT_EQ(view->job.state, State::kWaiting);
  EXPECT_THAT(view->job.reason, ::testing::AnyOf("ErrImagePull", "ImagePullBackOff"));
}

TEST(PodViewTest, ObjectWithoutANameOrUidIsNone) {
  EXPECT_FALSE(ReadPod(Json()).has_value());
  EXPECT_FALSE(ReadPod({{"metadata", {{"name", "p"}}}}).has_value());
  EXPECT_FALSE(ReadPod({{"metadata", {{"uid", "u"}}}}).has_value());
  EXPECT_FALSE(ReadPod({{"metadata", {{"name", 1}, {"uid", "u"}}}}).has_value());
  EXPECT_TRUE(ReadPod({{"metadata", {{"name", "p"}, {"uid", "u"}}}}).has_value());
}

TEST(PodViewTest, EndOfTheContainerIsRead) {
  const auto view = ReadPod(WithState(
      R"({"terminated":{"exitCode":3,"reason":"Error","message":"m",
          "startedAt":"2026-11-23T15:26:55Z","finishedAt":"2026-11-23T15:26:57Z"}})"));
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->job.state, State::kTerminated);
  EXPECT_EQ(view->job.exit_code, 3);
  EXPECT_EQ(view->job.reason, "Error");
  EXPECT_EQ(view->job.message, "m");
  ASSERT_TRUE(view->job.started_at && view->job.finished_at);
  EXPECT_EQ(*view->job.finished_at - *view->job.started_at, std::chrono::seconds(2));
}

TEST(PodViewTest, CodeThatIsNoneIsNoSuccess) {
  for (const char* code : {"null", "\"0\"", "0.5", "4294967296", "-4294967296", "true"}) {
    const auto view =
        ReadPod(WithState(std::string(R"({"terminated":{"exitCode":)") + code + "}}"));
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->job.exit_code, -1) << code;
  }
  EXPECT_EQ(ReadPod(WithState(R"({"terminated":{}})"))->job.exit_code, -1);
}

TEST(PodViewTest, StateOfTheJobsContainerAloneCounts) {
  const auto view = ReadPod(Pod(R"({"containerStatuses":[
      {"name":"proxy","state":{"terminated":{"exitCode":0}}},
      {"name":"job","state":{"running":{"startedAt":"2026-11-23T15:26:55Z"}}}]})"));
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->job.state, State::kRunning);
  EXPECT_TRUE(view->job.started_at.has_value());
}

TEST(PodViewTest, NoStatusOfAContainerIsNone) {
  for (const char* status : {"{}", R"({"containerStatuses":[]})", R"({"containerStatuses":"x"})",
                             R"({"containerStatuses":[{"name":"other"}]})"}) {
    EXPECT_EQ(ReadPod(Pod(status))->job.state, State::kAbsent) << status;
  }
  // A state that is empty is waiting (core/v1 ContainerState).
  EXPECT_EQ(ReadPod(WithState("{}"))->job.state, State::kWaiting);
}

TEST(PodViewTest, PhaseSaysWhetherItHasEnded) {
  for (const char* phase : {"Succeeded", "Failed"}) {
    EXPECT_TRUE(ReadPod(Pod((R"({"phase":")" + std::string(phase) + "\"}").c_str()))->Ended());
  }
  for (const char* phase : {"Pending", "Running", "Unknown", ""}) {
    EXPECT_FALSE(ReadPod(Pod((R"({"phase":")" + std::string(phase) + "\"}").c_str()))->Ended());
  }
}

TEST(PodViewTest, NodeThatTakesItIsReadFromTheCondition) {
  const auto none = ReadPod(Pod(R"({"conditions":[{"type":"PodScheduled","status":"False",
      "reason":"Unschedulable","message":"0/1 nodes are available"}]})"));
  EXPECT_FALSE(none->scheduled);
  EXPECT_EQ(none->unschedulable, "0/1 nodes are available");
  const auto unsaid = ReadPod(
      Pod(R"({"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable"}]})"));
  EXPECT_EQ(unsaid->unschedulable, "Unschedulable");
  const auto other =
      ReadPod(Pod(R"({"conditions":[{"type":"Ready","status":"False","message":"containers"}]})"));
  EXPECT_FALSE(other->scheduled);
  EXPECT_TRUE(other->unschedulable.empty());
}

TEST(PodViewTest, DeletionIsSeen) {
  Json pod = Pod("{}");
  pod["metadata"]["deletionTimestamp"] = "2026-11-23T15:26:55Z";
  EXPECT_TRUE(ReadPod(pod)->deletion_requested_at.has_value());
}

TEST(PodViewTest, WordsOfAKubeletAreEscapedAndCut) {
  Json pod = WithState(R"({"waiting":{}})");
  Json& waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"];
  waiting["message"] = "a\nb\x1b[31m" + std::string(5000, 'x');
  waiting["reason"] = "A\r" + std::string(5000, 'x');
  pod["status"]["message"] = "\x07" + std::string(5000, 'x');
  const auto view = ReadPod(pod);
  for (const std::string& text : {view->job.message, view->job.reason, view->message}) {
    EXPECT_FALSE(HasControl(text));
    EXPECT_LT(text.size(), 420U);
    EXPECT_FALSE(text.empty());
  }
  EXPECT_LT(view->job.reason.size(), 80U);
}

TEST(PodViewTest, TimeIsThatOfMetaV1) {
  using std::chrono::sys_days;
  using namespace std::chrono_literals;
  EXPECT_EQ(ParseTime("1970-01-01T00:00:00Z"), std::chrono::system_clock::time_point());
  EXPECT_EQ(ParseTime("2024-02-29T23:59:59Z"),
            std::chrono::system_clock::time_point(sys_days(2024y / 2 / 29) + 24h - 1s));
  for (const char* none :
       {"", "null", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-11-23T24:00:00Z", "2026-11-23T00:60:00Z", "2026-11-23T00:00:61Z",
        "2026-11-23T00:00:00+01:00", "2026-11-23 00:00:00Z", "2026-11-23T00:00:00.5Z",
        "2026-11-23T00:00:00z", "2026-11-2aT00:00:00Z", "1969-12-31T23:59:59Z",
        "2262-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"}) {
    EXPECT_EQ(ParseTime(none), std::nullopt) << none;
  }
}

}  // namespace
}  // namespace tidewaiter::kubernetes
