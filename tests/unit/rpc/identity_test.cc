#include "broker/rpc/identity.h"

#include <gtest/gtest.h>

namespace tidewaiter::rpc {
namespace {

TEST(PeerNumber, IsTheNumberOfTheDescriptor) {
  EXPECT_EQ(PeerNumber("fd:12"), 12);
  EXPECT_EQ(PeerNumber("fd%3A12"), 12);
}

TEST(PeerNumber, IsNoneForAnythingElse) {
  for (const char* peer : {"", "fd:", "fd:-1", "fd:1x", "fd: 1", "unix:/x", "ipv4:127.0.0.1:12",
                           "fd:99999999999999999999"}) {
    EXPECT_EQ(PeerNumber(peer), -1) << peer;
  }
}

}  // namespace
}  // namespace tidewaiter::rpc
