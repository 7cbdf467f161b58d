// What the comparison with an engine tells of itself, and of strays that others remove.
#include "broker/run/strays.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/core_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using Step = FakeBackend::Step;
using Way = FakeBackend::Way;

constexpr const char* kCompare = "compare what backend 'docker' holds with the runs: ";

class Comparing : public ::testing::Test, public CoreWorld {
 protected:
  void SetUp() override { environment.settings.reap_interval = std::chrono::milliseconds(5); }
  // Until what a comparison that began after this call has found is known.
  [[nodiscard]] bool WaitForComparison() {
    return trace.WaitFor("engine:list", trace.Count("engine:list") + 2);
  }
};

TEST_F(Comparing, ThatFailsIsToldOnceAndAgainWhenItWorks) {
  engine.Set(Step::kList, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("engine:list", 5));
  EXPECT_EQ(log.lines.Count(kCompare), 1U);
  engine.Set(Step::kList, Way::kSucceed);
  ASSERT_TRUE(log.lines.WaitFor(std::string(kCompare) + "it works again"));
  ASSERT_TRUE(WaitForComparison());
  EXPECT_EQ(log.lines.Count(kCompare), 2U);
}

TEST_F(Comparing, ThatFailsIsToldWithItsCause) {
  engine.Set(Step::kList, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(log.lines.WaitFor(kCompare));
  EXPECT_THAT(log.lines.All(), Contains(HasSubstr("; trying again, strays stay until then")));
  EXPECT_THAT(log.lines.All(), Contains(HasSubstr("it is away")));
}

TEST_F(Comparing, ThatFailsIsCountedUntilItWorks) {
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("engine:list", 3));
  EXPECT_FALSE(registry().Count().comparison_fails);
  engine.Set(Step::kList, Way::kFail);
  ASSERT_TRUE(WaitForComparison());
  EXPECT_TRUE(registry().Count().comparison_fails);
  engine.Set(Step::kList, Way::kSucceed);
  ASSERT_TRUE(log.lines.WaitFor(std::string(kCompare) + "it works again"));
  EXPECT_FALSE(registry().Count().comparison_fails);
}

TEST_F(Comparing, ThatTheBrokersEndCutsOffHasNotFailed) {
  engine.Set(Step::kList, Way::kHang);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("engine:list"));
  Restart();
  EXPECT_EQ(log.lines.Count(kCompare), 0U);
}

TEST_F(Comparing, StrayThatSomebodyElseRemovesIsSettledOnce) {
  engine.Plant({.kind = run::Resource::Kind::kContainer, .name = "stray", .id = "s"},
               RunId("unknown"));
  engine.Set(Step::kRemove, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:overdue"));
  engine.Forget("stray");
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  ASSERT_TRUE(WaitForComparison());
  EXPECT_EQ(trace.Count("audit:settled"), 1U);
  EXPECT_EQ(registry().Count().strays, 0U);
  EXPECT_EQ(log.lines.Count("remove stray container 's' of unknown run 'unknown': it has gone"),
            1U);
}

TEST_F(Comparing, StrayIsNotSettledByAListingThatFails) {
  engine.Plant({.kind = run::Resource::Kind::kContainer, .name = "stray", .id = "s"},
               RunId("unknown"));
  engine.Set(Step::kRemove, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:overdue"));
  engine.Set(Step::kList, Way::kFail);
  ASSERT_TRUE(log.lines.WaitFor(kCompare));
  engine.Forget("stray");
  ASSERT_TRUE(WaitForComparison());
  EXPECT_EQ(trace.Count("audit:settled"), 0U);
}

}  // namespace
}  // namespace tidewaiter::testing
