#include "client/commands/broker_user.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidewaiter::cli {
namespace {

TEST(BrokerUser, AUidIsTakenAsItIs) {
  EXPECT_EQ(FindBrokerUser("990").value(), 990U);
  EXPECT_EQ(FindBrokerUser("0").value(), 0U);
}

TEST(BrokerUser, ANameIsLookedUp) {
  EXPECT_EQ(FindBrokerUser("root").value(), 0U);
}

TEST(BrokerUser, ANameThatNobodyHasIsNotFound) {
  for (const char* name : {"no-such-user", "-1", "0x0", "99999999999"}) {
    EXPECT_EQ(FindBrokerUser(name).error().code, ErrorCode::kNotFound) << name;
  }
}

}  // namespace
}  // namespace tidewaiter::cli
