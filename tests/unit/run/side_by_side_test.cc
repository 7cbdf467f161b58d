#include "broker/run/side_by_side.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace tidewaiter::run {
namespace {

using ::testing::Each;

TEST(SideBySide, EachIsDoneOnce) {
  std::vector<int> done(kMostSideBySide * 10, 0);
  SideBySide(done.size(), [&](std::size_t i) { ++done[i]; });
  EXPECT_THAT(done, Each(1));
}

TEST(SideBySide, AsManyAsAreAllowedAreUnderWayTogether) {
  std::latch all(kMostSideBySide);
  SideBySide(kMostSideBySide, [&](std::size_t) { all.arrive_and_wait(); });
}

TEST(SideBySide, NoMoreThanAreAllowedAreUnderWayTogether) {
  std::atomic<std::size_t> now = 0;
  std::atomic<std::size_t> most = 0;
  SideBySide(kMostSideBySide * 10, [&](std::size_t) {
    const std::size_t here = ++now;
    for (std::size_t before = most; before < here && !most.compare_exchange_weak(before, here);) {
    }
    --now;
  });
  EXPECT_LE(most, kMostSideBySide);
}

TEST(SideBySide, OneIsDoneOnTheThreadThatAsks) {
  std::thread::id on;
  SideBySide(1, [&](std::size_t) { on = std::this_thread::get_id(); });
  EXPECT_EQ(on, std::this_thread::get_id());
}

TEST(SideBySide, OfNoneNothingIsDone) {
  SideBySide(0, [](std::size_t) { ADD_FAILURE(); });
}

}  // namespace
}  // namespace tidewaiter::run
