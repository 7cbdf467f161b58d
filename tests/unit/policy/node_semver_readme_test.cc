// Every range of node-semver's README (https://github.com/npm/node-semver#ranges) and what it says
// of it: which versions match, and the plain comparators that it means.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/version_range.h"

namespace tidewaiter::policy {
namespace {

VersionRange Range(const std::string& text) {
  auto range = VersionRange::Parse(text);
  EXPECT_TRUE(range.has_value()) << text << ": " << (range ? "" : range.error().message);
  return range ? *std::move(range) : *VersionRange::Parse("<0.0.0");
}

// Releases and pre-releases around everything that the README names.
std::vector<Version> Grid() {
  std::vector<Version> grid;
  for (const std::uint64_t major : {0U, 1U, 2U, 3U, 4U, 5U, 7U, 8U}) {
    for (const std::uint64_t minor : {0U, 1U, 2U, 3U, 4U, 5U}) {
      for (const std::uint64_t patch : {0U, 1U, 2U, 3U, 4U, 5U, 7U, 9U}) {
        for (const char* prerelease :
             {"", "0", "alpha", "alpha.3", "beta", "beta.2", "beta.4", "pr.2", "rc.1"}) {
          grid.push_back({major, minor, patch, prerelease, {}});
        }
      }
    }
  }
  return grid;
}

struct Sugar {
  const char* range;
  const char* means;
};

TEST(NodeSemverReadme, SugarMeansTheComparatorsBesideIt) {
  const std::vector<Sugar> sugars{
      // Hyphen ranges
      {"1.2.3 - 2.3.4", ">=1.2.3 <=2.3.4"},
      {"1.2 - 2.3.4", ">=1.2.0 <=2.3.4"},
      {"1.2.3 - 2.3", ">=1.2.3 <2.4.0-0"},
      {"1.2.3 - 2", ">=1.2.3 <3.0.0-0"},
      // X-ranges
      {"*", ">=0.0.0"},
      {"1.x", ">=1.0.0 <2.0.0-0"},
      {"1.X", ">=1.0.0 <2.0.0-0"},
      {"1.2.x", ">=1.2.0 <1.3.0-0"},
      {"1.2.*", ">=1.2.0 <1.3.0-0"},
      {"", "*"},
      {"", ">=0.0.0"},
      {"1", "1.x.x"},
      {"1", ">=1.0.0 <2.0.0-0"},
      {"1.2", "1.2.x"},
      {"1.2", ">=1.2.0 <1.3.0-0"},
      // Tilde ranges
      {"~1.2.3", ">=1.2.3 <1.3.0-0"},
      {"~1.2", ">=1.2.0 <1.3.0-0"},
      {"~1.2", "1.2.x"},
      {"~1", ">=1.0.0 <2.0.0-0"},
      {"~1", "1.x"},
      {"~0.2.3", ">=0.2.3 <0.3.0-0"},
      {"~0.2", ">=0.2.0 <0.3.0-0"},
      {"~0.2", "0.2.x"},
      {"~0", ">=0.0.0 <1.0.0-0"},
      {"~0", "0.x"},
      {"~1.2.3-beta.2", ">=1.2.3-beta.2 <1.3.0-0"},
      // Caret ranges
      {"^1.2.3", ">=1.2.3 <2.0.0-0"},
      {"^0.2.3", ">=0.2.3 <0.3.0-0"},
      {"^0.2.5", ">=0.2.5 <0.3.0-0"},
      {"^0.0.3", ">=0.0.3 <0.0.4-0"},
      {"^0.0.4", ">=0.0.4 <0.0.5-0"},
      {"^1.2.3-beta.2", ">=1.2.3-beta.2 <2.0.0-0"},
      {"^0.0.3-beta", ">=0.0.3-beta <0.0.4-0"},
      {"^1.2.x", ">=1.2.0 <2.0.0-0"},
      {"^0.0.x", ">=0.0.0 <0.1.0-0"},
      {"^0.0", ">=0.0.0 <0.1.0-0"},
      {"^1.x", ">=1.0.0 <2.0.0-0"},
      {"^0.x", ">=0.0.0 <1.0.0-0"},
      // An operator is optional where it is '='.
      {"1.2.7", "=1.2.7"},
  };
  const std::vector<Version> grid = Grid();
  for (const Sugar& each : sugars) {
    const VersionRange range = Range(each.range);
    const VersionRange means = Range(each.means);
    for (const Version& version : grid) {
      ASSERT_EQ(range.Matches(version), means.Matches(version))
          << each.range << " := " << each.means << ": " << version.ToString();
    }
    // The README of older releases leaves the "-0" out; without a pre-release it says the same.
    EXPECT_TRUE(range.IsSubsetOf(means)) << each.range;
    EXPECT_TRUE(means.IsSubsetOf(range)) << each.range;
  }
}

struct Sample {
  const char* range;
  std::vector<const char*> inside;
  std::vector<const char*> outside;
};

TEST(NodeSemverReadme, RangesMatchTheVersionsThatItNames) {
  const std::vector<Sample> samples{
      {">=1.2.7", {"1.2.7", "1.2.8", "2.5.3", "1.3.9"}, {"1.2.6", "1.1.0"}},
      {">=1.2.7 <1.3.0", {"1.2.7", "1.2.8", "1.2.99"}, {"1.2.6", "1.3.0", "1.1.0"}},
      {"1.2.7 || >=1.2.9 <2.0.0", {"1.2.7", "1.2.9", "1.4.6"}, {"1.2.8", "2.0.0"}},
      // Pre-release tags
      {">1.2.3-alpha.3", {"1.2.3-alpha.7", "3.4.5"}, {"3.4.5-alpha.9", "1.2.3-alpha.3"}},
      {"~1.2.3-beta.2", {"1.2.3-beta.4", "1.2.3-beta.2"}, {"1.2.4-beta.2", "1.2.3-beta.1"}},
      {"^1.2.3-beta.2", {"1.2.3-beta.4"}, {"1.2.4-beta.2"}},
      {"^0.0.3-beta", {"0.0.3-pr.2", "0.0.3"}, {"0.0.4", "0.0.3-alpha", "0.0.2"}},
      // Usage: semver.satisfies
      {"1.x || >=2.5.0 || 5.0.0 - 7.2.3", {"1.2.3", "2.5.0", "6.0.0"}, {"2.4.9", "0.9.0"}},
      // The hole of the notes on gtr and ltr
      {"1.2 <1.2.9 || >2.0.0", {"1.2.8", "2.0.1"}, {"1.2.10", "1.2.9", "2.0.0"}},
  };
  for (const Sample& each : samples) {
    const VersionRange range = Range(each.range);
    for (const char* version : each.inside) {
      EXPECT_TRUE(range.Matches(*ParseVersion(version))) << each.range << " " << version;
    }
    for (const char* version : each.outside) {
      EXPECT_FALSE(range.Matches(*ParseVersion(version))) << each.range << " " << version;
    }
  }
}

// "A leading '=' or 'v' is stripped off": in a range. A tag keeps its 'v' alone (docs/POLICY.md).
TEST(NodeSemverReadme, LeadingCharactersAreStrippedInARange) {
  for (const char* text : {"v1.2.3", "=1.2.3", "=v1.2.3", ">=v1.2.3 <=v1.2.3"}) {
    EXPECT_TRUE(Range(text).Matches(*ParseVersion("1.2.3"))) << text;
    EXPECT_FALSE(Range(text).Matches(*ParseVersion("1.2.4"))) << text;
  }
  EXPECT_FALSE(ParseVersion("a.b.c").has_value());
  EXPECT_FALSE(ParseTagVersion("=v1.2.3").has_value());
}

}  // namespace
}  // namespace tidewaiter::policy
