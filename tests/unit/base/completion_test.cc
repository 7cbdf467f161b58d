#include "base/completion.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace tidewaiter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Completion, FirstWriterWins) {
  Completion<int> completion;
  EXPECT_TRUE(completion.Set(1));
  EXPECT_FALSE(completion.Set(2));
  EXPECT_EQ(completion.Peek(), 1);
}

TEST(Completion, ExactlyOneOfManyConcurrentWritersWins) {
  Completion<int> completion;
  std::atomic<int> winners{0};
  std::latch together(8);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        together.arrive_and_wait();
        if (completion.Set(i)) ++winners;
      });
    }
  }
  EXPECT_EQ(winners, 1);
}

TEST(Completion, WaitEndsWithTheValue) {
  Completion<int> completion;
  std::jthread writer([&] { completion.Set(7); });
  EXPECT_EQ(completion.Wait({}, Deadline::After(seconds(30))), 7);
}

TEST(Completion, WaitEndsAtTheDeadline) {
  Completion<int> completion;
  EXPECT_EQ(completion.Wait({}, Deadline::After(milliseconds(1))), std::nullopt);
}

TEST(Completion, WaitEndsWhenTheTokenIsStopped) {
  Completion<int> completion;
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(completion.Wait(stop.get_token(), Deadline::Never()), std::nullopt);
}

TEST(Completion, ValueBeatsAStoppedTokenAndAPastDeadline) {
  Completion<int> completion;
  completion.Set(3);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(completion.Wait(stop.get_token(), Deadline::After(milliseconds(0))), 3);
}

}  // namespace
}  // namespace tidewaiter
