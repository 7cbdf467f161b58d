#include "broker/docker/exit_watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <thread>

#include "tests/support/fake_http.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Answer;
using testing::FakeHttp;
using testing::kVersionAnswer;

const std::string kId(64, 'a');
const std::string kOther(64, 'b');

std::string Event(const std::string& action, const std::string& attributes = "") {
  return R"({"Type":"container","Action":")" + action +
         R"(","timeNano":5000000001,"Actor":{"ID":")" + kId + R"(","Attributes":{)" + attributes +
         "}}}\n";
}

std::string State(const std::string& status, int code, bool oom = false) {
  return R"({"Id":")" + kId + R"(","State":{"Status":")" + status + R"(","ExitCode":)" +
         std::to_string(code) + R"(,"OOMKilled":)" + (oom ? "true" : "false") + "}}";
}

// An engine whose event stream the test speaks into. Each stream lasts until Break().
class WatchedEngine {
 public:
  WatchedEngine()
      : http_(
            [this](const io::HttpRequest& request) -> Result<io::HttpResponse> {
              if (request.url == "http://docker/version") return Answer(200, kVersionAnswer);
              const std::lock_guard lock(mutex_);
              if (request.url.ends_with("/_ping")) {
                ++pings_;
                changed_.notify_all();
                return ping_;
              }
              ++inspections_;
              changed_.notify_all();
              return container_;
            },
            [this](const io::HttpRequest& request, const auto& on_open, const auto& on_data,
                   const std::stop_token& stop) -> Result<io::HttpResponse> {
              {
                const std::lock_guard lock(mutex_);
                urls_.push_back(request.url);
                changed_.notify_all();
                if (refuse_) return Fail(ErrorCode::kUnavailable, "refused", "CONNECT_FAILED");
              }
              on_open();
              std::unique_lock lock(mutex_);
              for (;;) {
                changed_.wait(lock, stop, [this] { return broken_ || !said_.empty(); });
                if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "cancelled");
                if (std::exchange(broken_, false)) break;
                const std::string text = std::exchange(said_, {});
                lock.unlock();
                const bool more = on_data(text);
                lock.lock();
                if (!more) break;
              }
              return Answer(200);
            }),
        client_(http_, "/s"),
        api_(client_, settings_) {
    settings_.broker_id = BrokerId("b");
    settings_.event_retry_max = milliseconds(100);
    settings_.event_loss_limit = milliseconds(400);
  }

  void Say(const std::string& text) {
    const std::lock_guard lock(mutex_);
    said_ += text;
    changed_.notify_all();
  }
  void Break(bool refuse = false) {
    const std::lock_guard lock(mutex_);
    broken_ = true;
    refuse_ = refuse;
    changed_.notify_all();
  }
  void SetContainer(long status, const std::string& body) { SetContainer(Answer(status, body)); }
  void SetContainer(Result<io::HttpResponse> answer) {
    const std::lock_guard lock(mutex_);
    container_ = std::move(answer);
  }
  bool WaitInspections(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(10), [&] { return inspections_ >= count; });
  }
  void AnswerPings(Result<io::HttpResponse> answer) {
    const std::lock_guard lock(mutex_);
    ping_ = std::move(answer);
  }
  bool WaitPings(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(10), [&] { return pings_ >= count; });
  }
  int pings() {
    const std::lock_guard lock(mutex_);
    return pings_;
  }
  int inspections() {
    const std::lock_guard lock(mutex_);
    return inspections_;
  }
  // The URL of the stream number `count`, from 1, once it has been asked for.
  std::string StreamUrl(std::size_t count) {
    std::unique_lock lock(mutex_);
    const bool asked = changed_.wait_for(lock, seconds(10), [&] { return urls_.size() >= count; });
    return asked ? urls_[count - 1] : "";
  }

  EngineApi& api() { return api_; }
  DockerSettings& settings() { return settings_; }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string said_;
  bool broken_ = false;
  bool refuse_ = false;
  int inspections_ = 0;
  int pings_ = 0;
  Result<io::HttpResponse> ping_ = Answer(200, "OK");
  std::vector<std::string> urls_;
  Result<io::HttpResponse> container_ = Answer(200, State("running", 0));
  DockerSettings settings_;
  FakeHttp http_;
  EngineClient client_;
  EngineApi api_;
};

class ExitWatcherTest : public ::testing::Test {
 protected:
  // `ping_interval`: the default is longer than any test.
  void Watch(bool forgeable = false, milliseconds ping_interval = std::chrono::hours(1)) {
    Follow(ping_interval);
    watch_ = watcher_->Add({.container_id = kId, .forgeable = forgeable});
  }
  void GoAway() {
    engine_.SetContainer(Fail(ErrorCode::kUnavailable, "refused", "CONNECT_FAILED"));
    engine_.Break(/*refuse=*/true);
  }
  void ComeBack(const std::string& state) {
    engine_.SetContainer(200, state);
    engine_.Break(/*refuse=*/false);
  }
  void Follow(milliseconds ping_interval) {
    engine_.settings().ping_interval = ping_interval;
    watcher_ =
        std::make_unique<ExitWatcher>(engine_.api(), engine_.settings(), [this] { ++lost_; });
    ASSERT_TRUE(watcher_->WaitUntilFollowing({.stop = {}, .deadline = Deadline::After(seconds(10))})
                    .has_value());
  }
  std::optional<run::ContainerExit> Exit(milliseconds limit = seconds(10)) {
    return watch_->exited().Wait({}, Deadline::After(limit));
  }

  WatchedEngine engine_;
  std::atomic<int> lost_{0};
  std::unique_ptr<ExitWatcher> watcher_;
  std::unique_ptr<ExitWatcher::Watch> watch_;
};

TEST_F(ExitWatcherTest, DieEventEndsTheWatchWithoutAnotherCall) {
  Watch();
  engine_.Say(Event("die", R"("exitCode":"3")"));
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 3);
  EXPECT_EQ(engine_.inspections(), 0);
}

TEST_F(ExitWatcherTest, OutOfMemoryEventIsRemembered) {
  Watch();
  engine_.Say(Event("oom") + Event("die", R"("exitCode":"137")"));
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_TRUE(exit->oom_killed);
  EXPECT_EQ(engine_.inspections(), 0);
}

TEST_F(ExitWatcherTest, KilledWithoutSuchAnEventIsAskedAbout) {
  Watch();
  engine_.SetContainer(200, State("exited", 137, true));
  engine_.Say(Event("die", R"("exitCode":"137")"));
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_TRUE(exit->oom_killed);
  EXPECT_EQ(engine_.inspections(), 1);
}

TEST_F(ExitWatcherTest, CodeThatNoProcessHasIsNotBelieved) {
  Watch(true);
  engine_.SetContainer(200, State("exited", 256));
  engine_.Say(Event("die", R"("exitCode":"0")"));
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  ASSERT_TRUE(exit->lost.has_value());
  EXPECT_EQ(exit->lost->Reason(), "ENGINE_INVALID_ANSWER");
}

TEST_F(ExitWatcherTest, CodeThatALabelCanForgeIsAskedFor) {
  Watch(true);
  engine_.SetContainer(200, State("exited", 9));
  engine_.Say(Event("die", R"("exitCode":"0")"));
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 9);
}

TEST_F(ExitWatcherTest, ExitMissedByABrokenStreamIsFoundAfterwards) {
  Watch();
  engine_.SetContainer(200, State("exited", 5));
  engine_.Break();
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 5);
}

TEST_F(ExitWatcherTest, RunningContainerStaysWatchedAfterABrokenStream) {
  Watch();
  engine_.Break();
  EXPECT_FALSE(Exit(milliseconds(400)).has_value());
  engine_.Say(Event("die", R"("exitCode":"6")"));
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 6);
}

TEST_F(ExitWatcherTest, NewStreamBeginsWhereTheOldOneEnded) {
  Watch();
  engine_.Say(Event("oom"));
  engine_.Say(Event("die", R"("exitCode":"1")"));
  ASSERT_TRUE(Exit().has_value());
  engine_.Break();
  EXPECT_THAT(engine_.StreamUrl(2), ::testing::HasSubstr("since=5.000000001"));
}

TEST_F(ExitWatcherTest, ContainerThatIsGoneAfterABrokenStreamIsLost) {
  Watch();
  engine_.SetContainer(404, R"({"message":"No such container"})");
  engine_.Break();
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  ASSERT_TRUE(exit->lost.has_value());
  EXPECT_EQ(exit->lost->Reason(), "CONTAINER_LOST");
}

TEST_F(ExitWatcherTest, RemovalBehindItsBackIsALoss) {
  Watch();
  engine_.Say(Event("destroy"));
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_TRUE(exit->lost.has_value());
}

TEST_F(ExitWatcherTest, GarbageInTheStreamIsAnsweredByAskingAboutEveryone) {
  Watch();
  engine_.SetContainer(200, State("exited", 8));
  engine_.Say("garbage\n");
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 8);
}

TEST_F(ExitWatcherTest, SilentEngineIsPingedAsLongAsSomethingIsWatched) {
  Watch(false, milliseconds(20));
  EXPECT_TRUE(engine_.WaitPings(3));
  watch_.reset();
  const int pings = engine_.pings();
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_LE(engine_.pings(), pings + 1);  // one may have been under way
}

TEST_F(ExitWatcherTest, NothingIsPingedWhileNothingIsWatched) {
  Follow(milliseconds(10));
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_EQ(engine_.pings(), 0);
}

TEST_F(ExitWatcherTest, PingWithoutAnswerIsALostStreamAndEveryoneIsAskedAbout) {
  Watch(false, milliseconds(20));
  engine_.SetContainer(200, State("exited", 4));
  engine_.AnswerPings(Fail(ErrorCode::kDeadlineExceeded, "no answer"));
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 4);
  EXPECT_NE(engine_.StreamUrl(2), "");
  EXPECT_GE(lost_, 1);
}

TEST_F(ExitWatcherTest, MissedEventIsFoundOnceTheStreamsHaveEnded) {
  Watch();
  engine_.SetContainer(200, State("exited", 5));
  watch_->StreamsEnded();
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 5);
}

TEST_F(ExitWatcherTest, EventAfterTheEndOfTheStreamsSparesTheQuestion) {
  Watch();
  watch_->StreamsEnded();
  engine_.Say(Event("die", R"("exitCode":"3")"));
  ASSERT_TRUE(Exit().has_value());
  std::this_thread::sleep_for(milliseconds(1300));
  EXPECT_EQ(engine_.inspections(), 0);
}

TEST_F(ExitWatcherTest, ContainerThatClosedItsOutputIsAskedAboutUntilItEnds) {
  Watch(false, milliseconds(20));
  watch_->StreamsEnded();
  ASSERT_TRUE(engine_.WaitInspections(2));
  engine_.SetContainer(200, State("exited", 5));
  ASSERT_TRUE(Exit().has_value());
}

TEST_F(ExitWatcherTest, ContainerThatCannotBeSignalledIsAskedAboutAtOnce) {
  Watch();
  engine_.SetContainer(200, State("exited", 5));
  watch_->NotRunning();
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 5);
  EXPECT_EQ(engine_.inspections(), 1);
}

TEST_F(ExitWatcherTest, ContainerThatDiedAndStillRunsIsLostAndNeverForgotten) {
  for (const bool forgeable : {false, true}) {
    Watch(forgeable);
    engine_.Say(Event("die", R"("exitCode":"137")"));
    const auto exit = Exit();
    ASSERT_TRUE(exit.has_value()) << forgeable;
    ASSERT_TRUE(exit->lost.has_value()) << forgeable;
    EXPECT_EQ(exit->lost->Reason(), "CONTAINER_LOST");
    watch_.reset();
    watcher_.reset();
  }
}

TEST_F(ExitWatcherTest, ContainerThatTheEngineIsSilentAboutIsNeitherLostNorForgotten) {
  engine_.SetContainer(Fail(ErrorCode::kDeadlineExceeded, "no answer"));
  engine_.settings().check_timeout = milliseconds(0);
  Watch(false, milliseconds(20));
  watch_->NotRunning();
  ASSERT_TRUE(engine_.WaitInspections(25));
  EXPECT_FALSE(watch_->exited().Peek().has_value());
  engine_.SetContainer(200, State("exited", 5));
  ASSERT_TRUE(Exit().has_value());
}

TEST_F(ExitWatcherTest, EngineThatStaysAwayLosesItsContainers) {
  Watch();
  engine_.Break(/*refuse=*/true);
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  ASSERT_TRUE(exit->lost.has_value());
  EXPECT_EQ(exit->lost->Reason(), "ENGINE_UNAVAILABLE");
}

TEST_F(ExitWatcherTest, ContainerThatOutlastsTheEngineIsNotLostWithTheOthers) {
  Watch();
  const auto patient = watcher_->Add({.container_id = kOther, .outlasts_engine = true});
  GoAway();
  ASSERT_TRUE(Exit()->lost.has_value());
  EXPECT_FALSE(patient->exited().Peek().has_value());
  ComeBack(State("exited", 6));
  const auto exit = patient->exited().Wait({}, Deadline::After(seconds(10)));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 6);
}

TEST_F(ExitWatcherTest, ContainerWatchedAnewDoesNotHoldUpTheLossOfTheOthers) {
  engine_.settings().event_loss_limit = seconds(2);
  Watch();
  GoAway();
  std::vector<std::unique_ptr<ExitWatcher::Watch>> retries;
  // Each within the limit of the one before.
  for (int i = 0; i < 100 && !watch_->exited().Wait({}, Deadline::After(milliseconds(100))); ++i) {
    retries.push_back(watcher_->Add({.container_id = kOther}));
  }
  ASSERT_TRUE(watch_->exited().Peek().has_value());
}

TEST_F(ExitWatcherTest, StreamsThatEndWithTheEventsWereCutOffByAnEngineThatIsBackAtOnce) {
  for (const bool events_first : {false, true}) {
    Watch();
    if (!events_first) watch_->StreamsEnded();
    engine_.Break();
    ASSERT_NE(engine_.StreamUrl(2), "");
    if (events_first) watch_->StreamsEnded();
    engine_.Say(Event("die", R"("exitCode":"3")"));
    ASSERT_TRUE(Exit().has_value());
    EXPECT_TRUE(watch_->StreamsCutOff()) << events_first;
    watch_.reset();
    watcher_.reset();
  }
}

TEST_F(ExitWatcherTest, StreamsThatEndBeforeGarbageInTheEventsWereNotCutOff) {
  Watch();
  watch_->StreamsEnded();
  engine_.Say("no event\n");
  ASSERT_NE(engine_.StreamUrl(2), "");
  engine_.Say(Event("die", R"("exitCode":"3")"));
  ASSERT_TRUE(Exit().has_value());
  EXPECT_FALSE(watch_->StreamsCutOff());
}

TEST_F(ExitWatcherTest, StreamsThatEndAfterTheContainerWereNotCutOff) {
  Watch();
  engine_.Say(Event("die", R"("exitCode":"3")"));
  ASSERT_TRUE(Exit().has_value());
  watch_->StreamsEnded();
  engine_.Break();
  ASSERT_NE(engine_.StreamUrl(2), "");
  EXPECT_FALSE(watch_->StreamsCutOff());
}

TEST_F(ExitWatcherTest, StreamsFoundEndedWhileTheEngineIsAwayWereCutOff) {
  engine_.settings().event_loss_limit = seconds(60);
  Watch();
  GoAway();
  ASSERT_NE(engine_.StreamUrl(2), "");  // it is asked for the next stream
  watch_->StreamsEnded();
  ASSERT_TRUE(engine_.WaitInspections(3));  // the attempts of one question
  ComeBack(State("exited", 5));
  ASSERT_EQ(Exit()->exit_code, 5);
  EXPECT_TRUE(watch_->StreamsCutOff());
}

TEST_F(ExitWatcherTest, StreamsThatTheContainerClosedWereNotCutOffByALaterLoss) {
  engine_.settings().event_loss_limit = seconds(60);
  Watch(false, milliseconds(20));
  watch_->StreamsEnded();
  ASSERT_TRUE(engine_.WaitInspections(2));  // the first answer has been taken
  GoAway();
  ASSERT_TRUE(engine_.WaitInspections(engine_.inspections() + 3));
  ComeBack(State("exited", 5));
  ASSERT_EQ(Exit()->exit_code, 5);
  EXPECT_FALSE(watch_->StreamsCutOff());
}

}  // namespace
}  // namespace tidewaiter::docker
