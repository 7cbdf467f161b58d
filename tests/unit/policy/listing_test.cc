#include "policy/listing.h"

#include <gtest/gtest.h>

#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

TEST(Listing, NamesAllOfAShortList) {
  EXPECT_EQ(ListSome({}), "");
  EXPECT_EQ(ListSome({"a"}), "a");
  EXPECT_EQ(ListSome({"a", "b"}), "a, b");
}

TEST(Listing, CountsWhatItLeavesOut) {
  const std::vector<std::string> names(10, std::string(100, 'x'));
  const std::string list = ListSome(names);
  EXPECT_TRUE(list.ends_with("x and 6 more")) << list;
}

// 64 binds of one run would otherwise repeat a policy's whole list 64 times.
TEST(Listing, RemedyOfAMountDoesNotRepeatALongPolicy) {
  std::string allow;
  for (int i = 0; i < 1000; ++i) allow += "\"/srv/" + std::to_string(i) + "\", ";
  const auto set = LoadSet(Toml("[mounts]\nallow = [" + allow + "]\n"));
  RunSpec spec = AdmittedSpec();
  spec.mounts = {{"/data", true, BindMount{"/home"}}};
  const Decision decision = Evaluate(*set->Find("default"), spec, FakeHostPaths());
  ASSERT_EQ(decision.violations().size(), 1U);
  EXPECT_TRUE(decision.violations()[0].remedy.starts_with("at or below /srv/0, /srv/1, "));
  EXPECT_LT(decision.violations()[0].remedy.size(), 500U);
}

}  // namespace
}  // namespace tidewaiter::policy
