#include "broker/daemon/health_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "base/completion.h"
#include "tests/support/broker_process.h"

namespace tidewaiter::daemon {
namespace {

using std::chrono::milliseconds;
using testing::Eventually;

constexpr std::chrono::seconds kPatience(20);

class HealthWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loop = io::EventLoop::Start();
    ASSERT_TRUE(loop.has_value());
    loop_ = *std::move(loop);
    watch_ =
        std::make_unique<HealthWatch>(*loop_,
                                      HealthWatch::Settings{.loop_interval = milliseconds(5),
                                                            .loop_patience = milliseconds(50),
                                                            .engine_interval = milliseconds(5)},
                                      [this] { return engine_answers_.load(); });
  }

  std::atomic<bool> engine_answers_ = true;
  std::unique_ptr<io::EventLoop> loop_;
  std::unique_ptr<HealthWatch> watch_;
};

TEST_F(HealthWatchTest, ALoopThatIsHeldUpDoesNotTurnUntilItGoesOn) {
  EXPECT_TRUE(Eventually(kPatience, [&] { return watch_->LoopTurns(); }));
  const auto go_on = std::make_shared<Completion<bool>>();
  loop_->Post([go_on] { go_on->Wait({}, Deadline::After(kPatience)); });
  EXPECT_TRUE(Eventually(kPatience, [&] { return !watch_->LoopTurns(); }));
  go_on->Set(true);
  EXPECT_TRUE(Eventually(kPatience, [&] { return watch_->LoopTurns(); }));
}

TEST_F(HealthWatchTest, TheEngineIsAskedAgainAndAgain) {
  EXPECT_TRUE(Eventually(kPatience, [&] { return watch_->EngineAnswers(); }));
  engine_answers_ = false;
  EXPECT_TRUE(Eventually(kPatience, [&] { return !watch_->EngineAnswers(); }));
  engine_answers_ = true;
  EXPECT_TRUE(Eventually(kPatience, [&] { return watch_->EngineAnswers(); }));
}

TEST_F(HealthWatchTest, AnEngineThatHasNotAnsweredYetDoesNotAnswer) {
  const auto go_on = std::make_shared<Completion<bool>>();
  HealthWatch fresh(*loop_, {}, [go_on] {
    go_on->Wait({}, Deadline::After(kPatience));
    return true;
  });
  EXPECT_FALSE(fresh.EngineAnswers());
  EXPECT_TRUE(fresh.LoopTurns());
  go_on->Set(true);
}

}  // namespace
}  // namespace tidewaiter::daemon
