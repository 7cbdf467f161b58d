#include "broker/kubernetes/output_fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

#include "tests/support/cluster_recordings.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_socket.h"
#include "tests/unit/kubernetes/watch_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using ::testing::ElementsAre;
using testing::Eventually;
using testing::FakeSocket;
using ::testing::HasSubstr;

constexpr const char* kCarrierRuns =
    R"({"phase":"Running","containerStatuses":[
        {"name":"job","state":{"terminated":{"exitCode":0}}},
        {"name":"outputs","state":{"running":{"startedAt":"2026-11-23T15:26:55Z"}}}]})";
constexpr const char* kCarrierEnded =
    R"({"phase":"Failed","containerStatuses":[
        {"name":"outputs","state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]})";

std::string On(char channel, const std::string& text) {
  return std::string(1, channel) + text;
}

class OutputFetchTest : public ClusterTest {
 protected:
  OutputFetchTest() : watcher_(std::make_unique<RunWatcher>(api_, settings_)) {
    EXPECT_TRUE(watcher_->WaitUntilFollowing(Soon()).has_value());
    tracked_ = watcher_->Track(RunId("r"), {}, false);
    tracked_->BelongTo("j1");
    open_socket_ = [this](const io::HttpRequest& request, std::string_view subprotocol,
                          const std::stop_token& stop, Deadline) -> Result<io::WebSocket::Opened> {
      if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "open: cancelled");
      urls_.push_back(request.url);
      EXPECT_EQ(subprotocol, "v4.channel.k8s.io");
      if (answers_.empty()) return Fail(ErrorCode::kUnavailable, "refused", "CONNECT_FAILED");
      auto answer = std::move(answers_.front());
      answers_.pop_front();
      return answer;
    };
  }
  void SayPod(std::string status) {
    std::erase(status, '\n');  // an event is one line
    cluster_.Say("pods", Event("MODIFIED", Object("r", "u1", "100", status)));
    ASSERT_TRUE(Eventually([&] { return tracked_->pod().has_value(); }));
  }
  void Answer(std::deque<std::string> messages, std::optional<Error> broken = {}) {
    answers_.push_back(io::WebSocket::Opened{
        .socket = std::make_unique<FakeSocket>(std::move(messages), std::move(broken),
                                               [this](std::string_view text) {
                                                 sent_ += text;
                                                 got_when_sent_ = got_;
                                               }),
        .refusal = {}});
  }
  void Refuse(long status, std::string body) {
    answers_.push_back(io::WebSocket::Opened{
        .socket = nullptr, .refusal = {.status = status, .headers = {}, .body = std::move(body)}});
  }
  Result<run::Omissions> Fetch(const run::Patience& patience = Soon()) {
    const auto write = [this](std::string_view data) -> Result<void> {
      got_ += data;
      if (refused_) return *refused_;
      return Ok();
    };
    return FetchOutput(api_, *tracked_, {.name = "results", .max_bytes = 9, .last = last_}, write,
                       patience);
  }
  std::string FailsAs() {
    const auto fetched = Fetch();
    if (fetched) return "fetched";
    EXPECT_EQ(fetched.error().Reason(), "OUTPUT_FAILED");
    return fetched.error().message;
  }

  std::unique_ptr<RunWatcher> watcher_;
  std::unique_ptr<RunWatcher::Tracked> tracked_;
  std::deque<Result<io::WebSocket::Opened>> answers_;
  std::vector<std::string> urls_;
  std::string got_;
  std::optional<Error> refused_;
  std::string sent_;
  std::string got_when_sent_;
  bool last_ = true;
};

TEST_F(OutputFetchTest, ArchiveIsWhatTheCarrierWrites) {
  SayPod(kCarrierRuns);
  Answer({On(1, ""), On(1, "arch"), On(2, "omitted symbolic-link a/li"),
          On(2, "nk\npacked 2 7 5\n"), On(1, "ive"), On(3, kExecSuccess)});
  const auto fetched = Fetch();
  ASSERT_TRUE(fetched.has_value()) << fetched.error().message;
  EXPECT_EQ(got_, "archive");
  EXPECT_THAT(fetched->listed, ElementsAre(run::Omission{"a/link", "symbolic-link"}));
  EXPECT_EQ(fetched->count, 5U);
  ASSERT_EQ(urls_.size(), 1U);
  EXPECT_THAT(urls_[0], HasSubstr("/pods/tw-r/exec?stdout=true&stderr=true&container=outputs&"
                                  "stdin=true&command=%2Ftidewaiter-carrier&command=pack&command="
                                  "%2Ftidewaiter%2Foutputs%2Fresults&command=9&command=last"));
}

// With the last output the container ends, and may take the status along.
TEST_F(OutputFetchTest, ArchiveThatIsSaidToBeWholeIsWhateverComesAfterIt) {
  SayPod(kCarrierRuns);
  Answer({On(1, "archive"), On(2, "packed 1 1 0\n"), On(3, kExecFailure)});
  EXPECT_TRUE(Fetch().has_value());
  Answer({On(1, "archive"), On(2, "packed 1 1 0\n")},
         Fail(ErrorCode::kUnavailable, "the connection broke"));
  EXPECT_TRUE(Fetch().has_value());
}

TEST_F(OutputFetchTest, ArchiveThatIsNotSaidToBeWholeIsNot) {
  SayPod(kCarrierRuns);
  Answer({On(1, "archive"), On(3, kExecSuccess)});
  EXPECT_THAT(FailsAs(), HasSubstr("did not say that it is whole"));
  Answer(
      {On(1, "archive"), On(2, "tidewaiter-carrier: pack /x: truncated\n"), On(3, kExecFailure)});
  EXPECT_THAT(FailsAs(), HasSubstr("pack /x: truncated"));
}

// The carrier ends with the last one, and must not before it is here.
TEST_F(OutputFetchTest, CarrierIsToldOnceThatItsLastArchiveIsHere) {
  SayPod(kCarrierRuns);
  Answer({On(1, "arch"), On(2, "sent 7\npacked 1 1 0\n"), On(1, "ive"), On(1, ""),
          On(3, kExecSuccess)});
  ASSERT_TRUE(Fetch().has_value());
  EXPECT_EQ(sent_, On(0, "\n"));
  EXPECT_EQ(got_when_sent_, "archive");
  sent_.clear();
  last_ = false;
  Answer({On(1, "archive"), On(2, "packed 1 1 0\n"), On(3, kExecSuccess)});
  ASSERT_TRUE(Fetch().has_value());
  EXPECT_EQ(sent_, "");
  EXPECT_THAT(urls_.back(), ::testing::Not(HasSubstr("stdin")));
}

TEST_F(OutputFetchTest, CarrierThatWasCutOffIsToldNothing) {
  SayPod(kCarrierRuns);
  Answer({On(1, "arch")}, Fail(ErrorCode::kUnavailable, "the connection broke"));
  EXPECT_FALSE(Fetch().has_value());
  EXPECT_EQ(sent_, "");
}

// What it says may overtake what it packs.
TEST_F(OutputFetchTest, ArchiveThatIsCutOffAfterItWasSaidToBeWholeMayBeAskedForAgain) {
  SayPod(kCarrierRuns);
  for (const char* const said : {"sent 7\npacked 1 1 0\n", "sent 7\npack"}) {
    Answer({On(1, "arch"), On(2, said)}, Fail(ErrorCode::kUnavailable, "the connection broke"));
    const auto fetched = Fetch();
    ASSERT_FALSE(fetched.has_value());
    EXPECT_EQ(fetched.error().Reason(), run::kOutputCut);
    EXPECT_EQ(sent_, "");
  }
}

TEST_F(OutputFetchTest, ArchiveThatIsCutOffMayBeAskedForAgain) {
  SayPod(kCarrierRuns);
  for (int time = 0; time < 2; ++time) {
    Answer({On(1, "archive")}, Fail(ErrorCode::kUnavailable, "the connection broke"));
    const auto fetched = Fetch();
    ASSERT_FALSE(fetched.has_value());
    EXPECT_EQ(fetched.error().Reason(), run::kOutputCut);
    EXPECT_THAT(fetched.error().message, HasSubstr("the connection broke"));
  }
  EXPECT_EQ(urls_.size(), 2U);
}

TEST_F(OutputFetchTest, CarrierThatIsNotReachedIsAskedAgain) {
  SayPod(kCarrierRuns);
  answers_.push_back(Fail(ErrorCode::kUnavailable, "refused", "CONNECT_FAILED"));
  Refuse(500, R"({"kind":"Status","message":"container not found"})");
  Answer({On(1, "archive"), On(2, "packed 1 1 0\n"), On(3, kExecSuccess)});
  EXPECT_TRUE(Fetch().has_value());
  EXPECT_EQ(urls_.size(), 3U);
}

TEST_F(OutputFetchTest, CarrierIsNotAskedAgainOnceTheTimeForOutputsIsOver) {
  SayPod(kCarrierRuns);
  const auto fetched = Fetch({.stop = {}, .deadline = Deadline::After(std::chrono::seconds(1))});
  ASSERT_FALSE(fetched.has_value());
  EXPECT_THAT(fetched.error().message, HasSubstr("refused"));
  EXPECT_LE(urls_.size(), 3U);  // every half second
}

TEST_F(OutputFetchTest, CarrierThatStartsLateIsWaitedFor) {
  SayPod(R"({"phase":"Running","containerStatuses":[
      {"name":"job","state":{"terminated":{"exitCode":0}}},
      {"name":"outputs","state":{"waiting":{"reason":"ContainerCreating"}}}]})");
  Answer({On(1, "archive"), On(2, "packed 1 1 0\n"), On(3, kExecSuccess)});
  std::jthread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    SayPod(kCarrierRuns);
  });
  EXPECT_TRUE(Fetch().has_value());
}

TEST_F(OutputFetchTest, PodThatWasStoppedHasNoOutputs) {
  SayPod(kCarrierRuns);
  tracked_->ExpectKill();
  EXPECT_THAT(FailsAs(), HasSubstr("the pod was stopped, and its volumes went with it"));
  EXPECT_TRUE(urls_.empty());
}

TEST_F(OutputFetchTest, CarrierThatHasEndedSaysWhy) {
  SayPod(kCarrierEnded);
  EXPECT_THAT(FailsAs(), HasSubstr("OOMKilled"));
  EXPECT_TRUE(urls_.empty());
}

TEST_F(OutputFetchTest, WhoTakesItMayEndIt) {
  SayPod(kCarrierRuns);
  refused_ = Fail(ErrorCode::kFailedPrecondition, "unpack output: refused", "OUTPUT_REFUSED");
  Answer({On(1, "archive"), On(1, "more"), On(2, "packed 1 1 0\n"), On(3, kExecSuccess)});
  const auto fetched = Fetch();
  ASSERT_FALSE(fetched.has_value());
  EXPECT_EQ(fetched.error().Reason(), "OUTPUT_REFUSED");
  EXPECT_EQ(got_, "archive");
}

TEST_F(OutputFetchTest, StopEndsIt) {
  SayPod(kCarrierRuns);
  std::stop_source stop;
  stop.request_stop();
  const auto fetched = Fetch({.stop = stop.get_token(), .deadline = Soon().deadline});
  ASSERT_FALSE(fetched.has_value());
  EXPECT_EQ(fetched.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace tidewaiter::kubernetes
