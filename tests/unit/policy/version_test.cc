#include "policy/version.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidewaiter::policy {
namespace {

TEST(Version, ReadsAllParts) {
  const auto version = ParseVersion("1.20.300-rc.1.x-y+build.007");
  ASSERT_TRUE(version.has_value());
  EXPECT_EQ(version->major, 1U);
  EXPECT_EQ(version->minor, 20U);
  EXPECT_EQ(version->patch, 300U);
  EXPECT_EQ(version->prerelease, "rc.1.x-y");
  EXPECT_EQ(version->build, "build.007");
  EXPECT_EQ(version->ToString(), "1.20.300-rc.1.x-y+build.007");
}

TEST(Version, RefusesWhatSemverRefuses) {
  for (const char* bad : {"",          "1",         "1.2",    "1.2.3.4",  "01.2.3",     "1.02.3",
                          "1.2.03",    "1.2.3-",    "1.2.3+", "1.2.3-01", "1.2.3-a..b", "1.2.3-a.",
                          "1.2.3+a+b", "1.2.3-a_b", "v1.2.3", "=1.2.3",   " 1.2.3",     "1.2.3\n",
                          "-1.2.3",    "1.2.x",     "latest", "+1.2.3"}) {
    EXPECT_FALSE(ParseVersion(bad).has_value()) << bad;
  }
}

TEST(Version, NumbersAreBoundedAsInNodeSemver) {
  EXPECT_TRUE(ParseVersion("9007199254740991.0.0").has_value());
  EXPECT_FALSE(ParseVersion("9007199254740992.0.0").has_value());
  EXPECT_FALSE(ParseVersion("99999999999999999999999.0.0").has_value());
  EXPECT_TRUE(ParseVersion("1.2.3-" + std::string(250, 'a')).has_value());
  EXPECT_FALSE(ParseVersion("1.2.3-" + std::string(251, 'a')).has_value());
}

TEST(Version, PrecedenceFollowsClauseEleven) {
  const std::vector<std::string> rising{"0.0.0-0",
                                        "0.0.0",
                                        "1.0.0-alpha",
                                        "1.0.0-alpha.1",
                                        "1.0.0-alpha.beta",
                                        "1.0.0-beta",
                                        "1.0.0-beta.2",
                                        "1.0.0-beta.11",
                                        "1.0.0-rc.1",
                                        "1.0.0",
                                        "1.0.1-0",
                                        "1.0.1-9",
                                        "1.0.1-10",
                                        "1.0.1-A",
                                        "1.0.1-a",
                                        "1.2.0",
                                        "1.10.0",
                                        "2.0.0-99999999999999999999",
                                        "2.0.0"};
  for (std::size_t i = 0; i < rising.size(); ++i) {
    for (std::size_t j = 0; j < rising.size(); ++j) {
      EXPECT_EQ(ParseVersion(rising[i])->Compare(*ParseVersion(rising[j])) < 0, i < j)
          << rising[i] << " " << rising[j];
    }
  }
}

TEST(Version, BuildMetadataDoesNotTakePart) {
  EXPECT_TRUE(ParseVersion("1.0.0+a")->Compare(*ParseVersion("1.0.0+b")) == 0);
}

TEST(Version, TagMayHaveOneLeadingV) {
  EXPECT_TRUE(ParseTagVersion("v1.2.3").has_value());
  EXPECT_TRUE(ParseTagVersion("1.2.3").has_value());
  EXPECT_FALSE(ParseTagVersion("vv1.2.3").has_value());
  EXPECT_FALSE(ParseTagVersion("V1.2.3").has_value());
}

TEST(Version, UnderscoreInTagMeansPlus) {
  EXPECT_EQ(ParseTagVersion("1.2.3-rc.1_build.5")->build, "build.5");
  EXPECT_FALSE(ParseTagVersion("1.2.3_a_b").has_value());
  EXPECT_FALSE(ParseTagVersion("1.2.3+a").has_value());
}

}  // namespace
}  // namespace tidewaiter::policy
