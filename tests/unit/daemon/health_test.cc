#include "broker/daemon/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tidewaiter::daemon {
namespace {

using ::testing::ElementsAre;

class HealthTest : public ::testing::Test {
 protected:
  void Listen() {
    health_.Tell([this](bool serving) { told_.push_back(serving); });
  }
  Health health_;
  std::vector<bool> told_;
};

TEST_F(HealthTest, ItServesUntilItStops) {
  Listen();
  health_.SetStopping();
  EXPECT_THAT(told_, ElementsAre(true, false));
}

TEST_F(HealthTest, ALogThatCannotBeWrittenStopsItUntilItCan) {
  Listen();
  health_.SetAuditWorks(false);
  health_.SetAuditWorks(true);
  EXPECT_THAT(told_, ElementsAre(true, false, true));
}

TEST_F(HealthTest, WhoeverStopsDoesNotServeAgain) {
  health_.SetAuditWorks(false);
  health_.SetStopping();
  Listen();
  health_.SetAuditWorks(true);
  EXPECT_THAT(told_, ElementsAre(false, false));
}

TEST_F(HealthTest, NobodyIsToldAfterTheEnd) {
  Listen();
  health_.Tell({});
  health_.SetStopping();
  EXPECT_THAT(told_, ElementsAre(true));
}

TEST_F(HealthTest, WhoeverAsksHearsWhy) {
  EXPECT_TRUE(health_.Now().audit_works && !health_.Now().stopping);
  health_.SetAuditWorks(false);
  EXPECT_TRUE(!health_.Now().audit_works && !health_.Now().stopping);
  health_.SetStopping();
  EXPECT_TRUE(health_.Now().stopping);
}

}  // namespace
}  // namespace tidewaiter::daemon
