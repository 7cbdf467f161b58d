#include "broker/rpc/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace tidewaiter::rpc {
namespace {

TEST(Worker, RunsWhatWaitsBeforeItEnds) {
  std::atomic<int> ran = 0;
  {
    Worker worker(1, 10);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(worker.Submit([&] { ++ran; }));
  }
  EXPECT_EQ(ran, 5);
}

TEST(Worker, RefusesBeyondItsBound) {
  std::latch release(1);
  Worker worker(1, 1);
  ASSERT_TRUE(worker.Submit([&] { release.wait(); }));
  ASSERT_TRUE(worker.Submit([] {}));
  EXPECT_FALSE(worker.Submit([] {}));
  release.count_down();
}

}  // namespace
}  // namespace tidewaiter::rpc
