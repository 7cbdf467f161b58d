#include "base/deadline.h"

#include <gtest/gtest.h>

namespace tidewaiter {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(Deadline, LongestWaitIsNeverAndNotThePast) {
  EXPECT_TRUE(Deadline::After(Deadline::Clock::duration::max()).never());
  EXPECT_FALSE(Deadline::After(Deadline::Clock::duration::max()).Passed());
}

TEST(Deadline, NegativeWaitIsNow) {
  const Deadline deadline = Deadline::After(seconds(-5));
  EXPECT_TRUE(deadline.Passed());
  EXPECT_EQ(deadline.Left(), Deadline::Clock::duration::zero());
}

TEST(Deadline, SoonerOfTwoIsTheEarlier) {
  const Deadline soon = Deadline::After(hours(1));
  EXPECT_EQ(soon.Sooner(Deadline::Never()), soon);
  EXPECT_EQ(Deadline::Never().Sooner(soon), soon);
}

TEST(Deadline, WhatIsLeftIsNeverMoreThanWhatWasGiven) {
  EXPECT_LE(Deadline::After(seconds(3)).Left(), seconds(3));
}

}  // namespace
}  // namespace tidewaiter
