#include "broker/run/policies_in_force.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/core_world.h"

namespace tidewaiter::run {
namespace {

Policies Of(const std::string& toml) {
  return {.enforced = testing::CoreWorld::ParsePolicy(toml), .shadow = nullptr};
}

constexpr char kOld[] = "version = 1\n";
constexpr char kNew[] = "version = 1\n# new\n";

TEST(PoliciesInForce, WhatIsHeldIsRetiredWhenTheLastHolderLetsGo) {
  PoliciesInForce policies(Of(kOld));
  PoliciesInForce::Lease one = policies.Get();
  PoliciesInForce::Lease other = policies.Get();
  const PoliciesInForce::Retired retired = policies.Replace(Of(kNew));
  EXPECT_NE(policies.Get()->enforced->hash(), one->enforced->hash());
  one.reset();
  EXPECT_FALSE(retired->Peek().has_value());
  other.reset();
  EXPECT_TRUE(retired->Peek().has_value());
}

TEST(PoliciesInForce, WhatNobodyHoldsIsRetiredAtOnce) {
  PoliciesInForce policies(Of(kOld));
  static_cast<void>(policies.Get());
  EXPECT_TRUE(policies.Replace(Of(kNew))->Peek().has_value());
}

TEST(PoliciesInForce, AnObserverHearsOfEachReplacementUntilItIsTakenAway) {
  PoliciesInForce policies(Of(kOld));
  std::vector<std::string> heard;
  policies.Observe([&](const policy::PolicySet& enforced) { heard.push_back(enforced.hash()); });
  policies.Replace(Of(kNew));
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0], policies.Get()->enforced->hash());
  policies.Observe({});
  policies.Replace(Of(kOld));
  EXPECT_EQ(heard.size(), 1U);
}

}  // namespace
}  // namespace tidewaiter::run
