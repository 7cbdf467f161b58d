#include "broker/run/slots.h"

#include <gtest/gtest.h>

namespace tidewaiter::run {
namespace {

const Deadline kNow = Deadline::After({});

TEST(Slots, FreeSlotIsTakenAtOnce) {
  Slots slots(1);
  const auto place = slots.Enter();
  EXPECT_FALSE(place->ahead().has_value());
  EXPECT_TRUE(place->Wait({}, kNow));
}

TEST(Slots, LeavingPassesTheSlotToTheFirstInTheQueue) {
  Slots slots(1);
  auto first = slots.Enter();
  const auto second = slots.Enter();
  const auto third = slots.Enter();
  EXPECT_EQ(second->ahead(), 0U);
  EXPECT_EQ(third->ahead(), 1U);
  first.reset();
  EXPECT_FALSE(third->Wait({}, kNow));
  EXPECT_TRUE(second->Wait({}, kNow));
}

TEST(Slots, PlaceThatTimedOutIsPassedOver) {
  Slots slots(1);
  auto first = slots.Enter();
  const auto second = slots.Enter();
  const auto third = slots.Enter();
  EXPECT_FALSE(second->Wait({}, kNow));
  first.reset();
  EXPECT_TRUE(third->Wait({}, kNow));
}

TEST(Slots, GrantedSlotBeatsAStop) {
  Slots slots(1);
  auto first = slots.Enter();
  const auto second = slots.Enter();
  std::stop_source stop;
  first.reset();
  stop.request_stop();
  EXPECT_TRUE(second->Wait(stop.get_token(), Deadline::Never()));
}

TEST(Slots, SlotOfAPlaceThatNeverWaitedIsNotLost) {
  Slots slots(1);
  auto first = slots.Enter();
  auto second = slots.Enter();
  first.reset();
  second.reset();
  EXPECT_FALSE(slots.Enter()->ahead().has_value());
}

}  // namespace
}  // namespace tidewaiter::run
