#include "broker/files/principal_share.h"

#include <gtest/gtest.h>

namespace tidewaiter::files {
namespace {

const RunId kFirst("first");
const RunId kSecond("second");

constexpr PrincipalShare::Words kWords{
    .verb = "take an input", .what = "of inputs", .setting = "max", .reason = "INPUT_QUOTA"};

TEST(PrincipalShare, OnePrincipalsRunsHoldNoMoreThanItsShare) {
  PrincipalShare share(100, kWords);
  EXPECT_TRUE(share.Take(kFirst, "alice", 60).has_value());
  const auto refused = share.Take(kSecond, "alice", 41);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().Reason(), "INPUT_QUOTA");
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(share.Take(kSecond, "alice", 40).has_value());
}

TEST(PrincipalShare, EachPrincipalHasAShareOfItsOwn) {
  PrincipalShare share(100, kWords);
  EXPECT_TRUE(share.Take(kFirst, "alice", 100).has_value());
  EXPECT_TRUE(share.Take(kSecond, "bob", 100).has_value());
}

TEST(PrincipalShare, OnlyWhatAnInputHasComeToStaysTaken) {
  PrincipalShare share(100, kWords);
  ASSERT_TRUE(share.Take(kFirst, "alice", 100).has_value());
  share.Settle(kFirst, 100, 10);
  EXPECT_TRUE(share.Take(kSecond, "alice", 90).has_value());
  EXPECT_FALSE(share.Take(kSecond, "alice", 1).has_value());
}

TEST(PrincipalShare, AllInputsOfARunCountUntilItIsForgotten) {
  PrincipalShare share(100, kWords);
  ASSERT_TRUE(share.Take(kFirst, "alice", 50).has_value());
  ASSERT_TRUE(share.Take(kFirst, "alice", 50).has_value());
  EXPECT_FALSE(share.Take(kSecond, "alice", 1).has_value());
  share.Forget(kFirst);
  EXPECT_TRUE(share.Take(kSecond, "alice", 100).has_value());
}

TEST(PrincipalShare, NoSumOverflows) {
  PrincipalShare share(100, kWords);
  EXPECT_FALSE(share.Take(kFirst, "alice", ~std::uint64_t{0}).has_value());
  ASSERT_TRUE(share.Take(kFirst, "alice", 100).has_value());
  EXPECT_FALSE(share.Take(kFirst, "alice", ~std::uint64_t{0} - 10).has_value());
}

TEST(PrincipalShare, WhatIsSetCountsWithoutHavingBeenTaken) {
  PrincipalShare share(100, kWords);
  share.Set(kFirst, "alice", 90);
  EXPECT_FALSE(share.Take(kSecond, "alice", 20));
  EXPECT_TRUE(share.Take(kSecond, "bob", 20));
  share.Set(kFirst, "alice", 10);
  EXPECT_TRUE(share.Take(kSecond, "alice", 90));
}

TEST(PrincipalShare, WhatIsForgottenIsNobodys) {
  PrincipalShare share(100, kWords);
  share.Set(kFirst, "alice", 90);
  share.Forget(kFirst);
  share.Settle(kFirst, 0, 90);
  EXPECT_TRUE(share.Take(kSecond, "alice", 100));
}

}  // namespace
}  // namespace tidewaiter::files
