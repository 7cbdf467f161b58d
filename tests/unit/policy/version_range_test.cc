#include "policy/version_range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidewaiter::policy {
namespace {

using ::testing::HasSubstr;

// Expected values were taken from node-semver 7 with { loose: false, includePrerelease: false }.
struct Case {
  const char* range;
  std::vector<const char*> inside;
  std::vector<const char*> outside;
};

void Expect(const Case& each) {
  const auto range = VersionRange::Parse(each.range);
  ASSERT_TRUE(range.has_value()) << each.range << ": " << range.error().message;
  for (const char* version : each.inside) {
    EXPECT_TRUE(range->Matches(*ParseVersion(version))) << each.range << " " << version;
  }
  for (const char* version : each.outside) {
    EXPECT_FALSE(range->Matches(*ParseVersion(version))) << each.range << " " << version;
  }
}

bool Inside(std::string_view inner, std::string_view outer) {
  return VersionRange::Parse(inner)->IsSubsetOf(*VersionRange::Parse(outer));
}

TEST(VersionRange, Comparators) {
  Expect({"1.2.3", {"1.2.3", "1.2.3+b"}, {"1.2.4", "1.2.3-a"}});
  Expect({"=1.2.3", {"1.2.3"}, {"1.2.2"}});
  Expect({">=1.2.0 <2.0.0", {"1.2.0", "1.99.0"}, {"1.1.9", "2.0.0", "2.0.0-rc.1", "1.3.0-rc.1"}});
  Expect({">1.2.3", {"1.2.4"}, {"1.2.3"}});
  Expect({"<=1.2.3", {"1.2.3", "0.0.0"}, {"1.2.4"}});
  Expect({">= 1.2.3   < 1.3.0", {"1.2.9"}, {"1.3.0"}});
  Expect({">=v1.2.3", {"1.2.3"}, {"1.2.2"}});
  Expect({">2.0.0 <1.0.0", {}, {"1.5.0", "0.5.0", "3.0.0"}});
}

TEST(VersionRange, XRanges) {
  Expect({"*", {"0.0.0", "9.9.9"}, {"1.0.0-a"}});
  Expect({"", {"1.2.3"}, {"1.2.3-a"}});
  Expect({"1.x", {"1.0.0", "1.9.9"}, {"2.0.0", "0.9.9", "2.0.0-0"}});
  Expect({"1.2.*", {"1.2.0", "1.2.9"}, {"1.3.0"}});
  Expect({"1.2", {"1.2.0"}, {"1.3.0"}});
  Expect({"1.X.*", {"1.9.0"}, {"2.0.0"}});
  Expect({"x.x.x", {"9.0.0"}, {}});
  Expect({"1.2.x-beta+b", {"1.2.0"}, {"1.2.0-beta"}});
}

TEST(VersionRange, OperatorsBeforeXRanges) {
  Expect({">1", {"2.0.0"}, {"1.9.9"}});
  Expect({">1.2", {"1.3.0"}, {"1.2.9"}});
  Expect({">=1.2", {"1.2.0"}, {"1.1.9"}});
  Expect({"<1.2", {"1.1.9"}, {"1.2.0", "1.2.0-0"}});
  Expect({"<=1.2", {"1.2.9"}, {"1.3.0"}});
  Expect({"<=1", {"1.9.9"}, {"2.0.0"}});
  Expect({"=1.2.x", {"1.2.5"}, {"1.3.0"}});
  Expect({">*", {}, {"0.0.0", "1.0.0"}});
  Expect({"<x", {}, {"0.0.0", "1.0.0"}});
  Expect({">=*", {"1.0.0"}, {}});
  Expect({"<=x", {"1.0.0"}, {}});
}

TEST(VersionRange, Tilde) {
  Expect({"~1.2.3", {"1.2.3", "1.2.9"}, {"1.3.0", "1.2.2", "1.3.0-0"}});
  Expect({"~1.2", {"1.2.0"}, {"1.3.0"}});
  Expect({"~1", {"1.9.0"}, {"2.0.0"}});
  Expect({"~> 1.2", {"1.2.0"}, {"1.3.0"}});
  Expect({"~1.2.3-beta.2", {"1.2.3-beta.4", "1.2.4"}, {"1.2.4-beta.2", "1.2.3-beta.1"}});
  Expect({"~*", {"1.0.0"}, {}});
}

TEST(VersionRange, Caret) {
  Expect({"^1.2.3", {"1.2.3", "1.9.0"}, {"2.0.0", "1.2.2", "2.0.0-rc.1"}});
  Expect({"^0.2.3", {"0.2.9"}, {"0.3.0"}});
  Expect({"^0.0.3", {"0.0.3"}, {"0.0.4"}});
  Expect({"^0.0", {"0.0.9"}, {"0.1.0"}});
  Expect({"^0.0.x", {"0.0.9"}, {"0.1.0"}});
  Expect({"^0", {"0.9.0"}, {"1.0.0"}});
  Expect({"^1.x", {"1.9.0"}, {"2.0.0"}});
  Expect({"^1.2.3-beta.2", {"1.2.3-beta.3", "1.5.0"}, {"1.2.4-beta.3"}});
  Expect({"^0.0.3-beta", {"0.0.3-pr.2", "0.0.3"}, {"0.0.4", "0.0.3-alpha"}});
}

TEST(VersionRange, Hyphen) {
  Expect({"1.2.3 - 2.3.4", {"1.2.3", "2.3.4"}, {"2.3.5", "1.2.2"}});
  Expect({"1.2 - 2.3.4", {"1.2.0"}, {"1.1.9"}});
  Expect({"1.2.3 - 2.3", {"2.3.9"}, {"2.4.0"}});
  Expect({"1.2.3 - 2", {"2.9.9"}, {"3.0.0"}});
  Expect({"* - 2", {"0.0.0"}, {"3.0.0"}});
  Expect({"1.0.0-rc.1 - 1.0.0", {"1.0.0-rc.2"}, {"1.0.0-alpha"}});
}

TEST(VersionRange, Union) {
  Expect({"<1.0.0 || >=2.0.0", {"0.5.0", "2.0.0"}, {"1.0.0"}});
  Expect({"1.x||3.x", {"1.0.0", "3.5.0"}, {"2.0.0"}});
}

TEST(VersionRange, ASetOfEveryReleaseMakesTheOthersVoid) {
  for (const char* range : {"* || 1.2.3-rc.0", "1.2.3-rc.0||", "1.2.3-rc.0 || x || 2.0.0-rc.0",
                            ">=0.0.0 || 1.2.3-rc.0"}) {
    Expect({range, {"0.0.0", "1.2.3", "9.0.0"}, {"1.2.3-rc.0", "2.0.0-rc.0"}});
    EXPECT_TRUE(Inside(range, "*")) << range;
    EXPECT_FALSE(Inside("1.2.3-rc.0", range)) << range;
  }
  Expect({">=0.0.1 || 1.2.3-rc.0", {"0.0.1", "1.2.3-rc.0"}, {"0.0.0"}});
}

TEST(VersionRange, PrereleaseNeedsAComparatorOfItsTuple) {
  Expect({">=1.2.3-rc.1 <2.0.0", {"1.2.3-rc.2", "1.5.0"}, {"1.2.4-rc.1", "1.2.3-beta"}});
  // The tuple must stand in the same set.
  Expect({">=1.0.0-a <1.0.0 || 2.x", {"1.0.0-b"}, {"2.0.0-b"}});
}

TEST(VersionRange, RefusesWhatIsNoRange) {
  for (const char* bad : {"latest",
                          "1.2.3.4",
                          ">=",
                          "~",
                          "^",
                          "> =1.2.3",
                          "==1.2.3",
                          "1.2.3 -2.0.0",
                          "1 - 2 - 3",
                          "1 - 2 >3",
                          "- 2",
                          "!1.2.3",
                          "1.2.3 | 2.0.0",
                          "01.2.3",
                          "1.2.3-01",
                          "1.2-rc",
                          ">>1",
                          "<>1",
                          "1.",
                          ".1",
                          "1..2",
                          "1.x.3",
                          "x.1",
                          "vv1",
                          "v",
                          "1,2",
                          "1.2.3\n",
                          "9007199254740992",
                          "^9007199254740991",
                          ">=1.2.3 && <2"}) {
    EXPECT_FALSE(VersionRange::Parse(bad).has_value()) << bad;
  }
  EXPECT_FALSE(VersionRange::Parse(std::string(1025, ' ')).has_value());
}

TEST(VersionRange, ErrorNamesThePart) {
  EXPECT_THAT(VersionRange::Parse(">=1.0.0 <latest").error().message, HasSubstr("'<latest'"));
}

TEST(VersionRange, SubsetOfWiderInterval) {
  EXPECT_TRUE(Inside(">=1.3.0 <1.9.0", ">=1.2.0 <2.0.0"));
  EXPECT_TRUE(Inside("1.3.x", ">=1.2.0 <2.0.0"));
  EXPECT_TRUE(Inside("^1.2", ">=1.2.0 <2.0.0"));
  EXPECT_TRUE(Inside(">=1.2.0 <2.0.0", "^1.2"));
  EXPECT_TRUE(Inside("1.2.3", "1.x || 2.x"));
  EXPECT_TRUE(Inside("1.x || 2.1.x", "1.x || 2.x"));
  EXPECT_TRUE(Inside("*", ">=0.0.0"));
  EXPECT_TRUE(Inside(">2.0.0 <1.0.0", "5.0.0"));
}

TEST(VersionRange, NoSubsetOfNarrowerInterval) {
  EXPECT_FALSE(Inside(">=1.2.0 <2.0.0", ">=1.3.0 <1.9.0"));
  EXPECT_FALSE(Inside("*", "1.x"));
  EXPECT_FALSE(Inside(">=1.2.0", ">1.2.0"));
  EXPECT_FALSE(Inside("<=2.0.0", "<2.0.0"));
  EXPECT_FALSE(Inside("1.x", ">*"));
}

TEST(VersionRange, NoSubsetWherePrereleasesAreAdded) {
  EXPECT_FALSE(Inside(">=1.2.3-rc.1 <2.0.0", ">=1.2.0 <2.0.0"));
  EXPECT_FALSE(Inside("1.2.3-rc.1", "*"));
  EXPECT_FALSE(Inside("<2.0.0-rc.1", "<2.0.0"));
  EXPECT_TRUE(Inside(">=1.2.3-rc.2 <1.3.0", ">=1.2.3-rc.1 <2.0.0"));
}

}  // namespace
}  // namespace tidewaiter::policy
