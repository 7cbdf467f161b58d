// Every version that semver.org itself calls valid, invalid or ordered: the lists behind the
// regular expression that its FAQ suggests (https://regex101.com/r/vkijKf/1/), and the examples of
// the specification's clauses (https://semver.org/spec/v2.0.0.html).
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/version.h"

namespace tidewaiter::policy {
namespace {

TEST(SemverOrg, ValidVersionsOfTheFaqAreVersionsAndPrintAsTheyWere) {
  for (const char* text : {"0.0.4",
                           "1.2.3",
                           "10.20.30",
                           "1.1.2-prerelease+meta",
                           "1.1.2+meta",
                           "1.1.2+meta-valid",
                           "1.0.0-alpha",
                           "1.0.0-beta",
                           "1.0.0-alpha.beta",
                           "1.0.0-alpha.beta.1",
                           "1.0.0-alpha.1",
                           "1.0.0-alpha0.valid",
                           "1.0.0-alpha.0valid",
                           "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
                           "1.0.0-rc.1+build.1",
                           "2.0.0-rc.1+build.123",
                           "1.2.3-beta",
                           "10.2.3-DEV-SNAPSHOT",
                           "1.2.3-SNAPSHOT-123",
                           "1.0.0",
                           "2.0.0",
                           "1.1.7",
                           "2.0.0+build.1848",
                           "2.0.1-alpha.1227",
                           "1.0.0-alpha+beta",
                           "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
                           "1.2.3----R-S.12.9.1--.12+meta",
                           "1.2.3----RC-SNAPSHOT.12.9.1--.12",
                           "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
                           "1.0.0-0A.is.legal"}) {
    const auto version = ParseVersion(text);
    ASSERT_TRUE(version.has_value()) << text;
    EXPECT_EQ(version->ToString(), text);
  }
}

// The one of the list that this library refuses: numbers are bounded as in node-semver
// (docs/POLICY.md).
TEST(SemverOrg, NumbersBeyondTheBoundAreRefusedThoughTheFaqHasThem) {
  EXPECT_FALSE(
      ParseVersion("99999999999999999999999.999999999999999999.99999999999999999").has_value());
}

TEST(SemverOrg, InvalidVersionsOfTheFaqAreRefused) {
  for (const char* text : {"1",
                           "1.2",
                           "1.2.3-0123",
                           "1.2.3-0123.0123",
                           "1.1.2+.123",
                           "+invalid",
                           "-invalid",
                           "-invalid+invalid",
                           "-invalid.01",
                           "alpha",
                           "alpha.beta",
                           "alpha.beta.1",
                           "alpha.1",
                           "alpha+beta",
                           "alpha_beta",
                           "alpha.",
                           "alpha..",
                           "beta",
                           "1.0.0-alpha_beta",
                           "-alpha.",
                           "1.0.0-alpha..",
                           "1.0.0-alpha..1",
                           "1.0.0-alpha...1",
                           "1.0.0-alpha....1",
                           "1.0.0-alpha.....1",
                           "1.0.0-alpha......1",
                           "1.0.0-alpha.......1",
                           "01.1.1",
                           "1.01.1",
                           "1.1.01",
                           "1.2.3.DEV",
                           "1.2-SNAPSHOT",
                           "1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788",
                           "1.2-RC-SNAPSHOT",
                           "-1.0.3-gamma+b7718",
                           "+justmeta",
                           "9.8.7+meta+meta",
                           "9.8.7-whatever+meta+meta",
                           "99999999999999999999999.999999999999999999.99999999999999999----RC-"
                           "SNAPSHOT.12.09.1--------------------------------..12"}) {
    EXPECT_FALSE(ParseVersion(text).has_value()) << text;
  }
}

// Clauses 2, 9 and 10, and the FAQ's "Is v1.2.3 a semantic version?" (no, but a tag may say it).
TEST(SemverOrg, ExamplesOfTheClausesAreVersions) {
  for (const char* text :
       {"1.9.0", "1.10.0", "1.11.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-0.3.7",
        "1.0.0-x.7.z.92", "1.0.0-x-y-z.--", "1.0.0-alpha+001", "1.0.0+20130313144700",
        "1.0.0-beta+exp.sha.5114f85", "1.0.0+21AF26D3----117B344092BD"}) {
    const auto version = ParseVersion(text);
    ASSERT_TRUE(version.has_value()) << text;
    EXPECT_EQ(version->ToString(), text);
  }
  EXPECT_FALSE(ParseVersion("v1.2.3").has_value());
  EXPECT_TRUE(ParseTagVersion("v1.2.3").has_value());
}

void ExpectRising(const std::vector<const char*>& rising) {
  for (std::size_t i = 0; i < rising.size(); ++i) {
    for (std::size_t j = 0; j < rising.size(); ++j) {
      EXPECT_EQ(ParseVersion(rising[i])->Compare(*ParseVersion(rising[j])), i <=> j)
          << rising[i] << " " << rising[j];
    }
  }
}

TEST(SemverOrg, PrecedenceExamplesOfClauseElevenRise) {
  ExpectRising({"1.9.0", "1.10.0", "1.11.0"});  // clause 2
  ExpectRising({"1.0.0", "2.0.0", "2.1.0", "2.1.1"});
  ExpectRising({"1.0.0-alpha", "1.0.0"});
  ExpectRising({"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
                "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"});
}

// Clause 10: versions that differ in build metadata alone have the same precedence.
TEST(SemverOrg, BuildMetadataOfClauseTenDoesNotOrder) {
  const auto plain = ParseVersion("1.0.0");
  for (const char* text : {"1.0.0+20130313144700", "1.0.0+21AF26D3----117B344092BD"}) {
    EXPECT_EQ(ParseVersion(text)->Compare(*plain), std::strong_ordering::equal) << text;
  }
}

}  // namespace
}  // namespace tidewaiter::policy
