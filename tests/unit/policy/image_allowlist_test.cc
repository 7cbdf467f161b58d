#include "policy/image_allowlist.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace tidewaiter::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ImageAllowlist ListOf(const std::vector<std::string>& repositories) {
  ImageAllowlist list;
  for (const std::string& text : repositories) {
    auto pattern = RepositoryPattern::Parse(text, false);
    EXPECT_TRUE(pattern.has_value()) << text;
    if (pattern) list.Add({*std::move(pattern), std::nullopt, {}});
  }
  return list;
}

// The entries that name REGISTRY/PATH, as they were written.
std::vector<std::string> Naming(const ImageAllowlist& list, const std::string& name) {
  ImageReference image;
  image.registry = name.substr(0, name.find('/'));
  image.repository = name.substr(name.find('/') + 1);
  std::vector<std::string> texts;
  list.VisitByVersion(image, {.version_counts = false, .digest = {}}, [&](const ImageEntry& entry) {
    texts.push_back(entry.repository.text());
    return true;
  });
  return texts;
}

bool Names(const std::string& pattern, const std::string& path) {
  return !Naming(ListOf({pattern}), "ghcr.io/" + path).empty();
}

TEST(ImageAllowlist, StarIsExactlyOneSegment) {
  EXPECT_TRUE(Names("ghcr.io/team/*", "team/job"));
  EXPECT_FALSE(Names("ghcr.io/team/*", "team"));
  EXPECT_FALSE(Names("ghcr.io/team/*", "team/job/sub"));
}

TEST(ImageAllowlist, SegmentsAreNotPrefixes) {
  EXPECT_FALSE(Names("ghcr.io/team/*", "team-evil/job"));
  EXPECT_FALSE(Names("ghcr.io/team/job", "team/job2"));
  EXPECT_FALSE(Names("ghcr.io/team/**", "team-evil/job"));
}

TEST(ImageAllowlist, FinalDoubleStarIsAnyNumber) {
  EXPECT_TRUE(Names("ghcr.io/team/**", "team"));
  EXPECT_TRUE(Names("ghcr.io/team/**", "team/a"));
  EXPECT_TRUE(Names("ghcr.io/team/**", "team/a/b/c"));
  EXPECT_FALSE(Names("ghcr.io/team/**", "other/a"));
}

TEST(ImageAllowlist, StarInTheMiddleIsOneSegment) {
  EXPECT_TRUE(Names("ghcr.io/team/*/job", "team/x/job"));
  EXPECT_FALSE(Names("ghcr.io/team/*/job", "team/x/y/job"));
  EXPECT_FALSE(Names("ghcr.io/team/*/job", "team/job"));
}

TEST(ImageAllowlist, RegistryIsComparedWhole) {
  const ImageAllowlist list = ListOf({"ghcr.io/team/*"});
  EXPECT_THAT(Naming(list, "ghcr.io:443/team/job"), IsEmpty());
  EXPECT_THAT(Naming(list, "ghcr.io.evil.example/team/job"), IsEmpty());
  EXPECT_THAT(Naming(list, "quay.io/team/job"), IsEmpty());
}

TEST(ImageAllowlist, EveryEntryThatNamesTheImageIsFoundInTheOrderOfTheFile) {
  const ImageAllowlist list =
      ListOf({"ghcr.io/team/**", "quay.io/team/job", "ghcr.io/*/job", "ghcr.io/team/job",
              "ghcr.io/team/other", "ghcr.io/**", "ghcr.io/team/job"});
  EXPECT_THAT(Naming(list, "ghcr.io/team/job"),
              ElementsAre("ghcr.io/team/**", "ghcr.io/*/job", "ghcr.io/team/job", "ghcr.io/**",
                          "ghcr.io/team/job"));
}

TEST(ImageAllowlist, CopyStandsOnItsOwn) {
  auto original = std::make_unique<ImageAllowlist>(ListOf({"ghcr.io/team/*"}));
  const ImageAllowlist copy = *original;
  original.reset();
  EXPECT_THAT(Naming(copy, "ghcr.io/team/job"), ElementsAre("ghcr.io/team/*"));
}

// The rule as docs/POLICY.md states it, read a second time and as slowly as it may be.
bool NamesByTheRule(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  if (pattern.empty()) return path.empty();
  if (pattern.front() == "**") return true;
  if (path.empty()) return false;
  if (pattern.front() != "*" && pattern.front() != path.front()) return false;
  return NamesByTheRule({pattern.begin() + 1, pattern.end()}, {path.begin() + 1, path.end()});
}

std::string Joined(const std::vector<std::string>& segments) {
  std::string text = "ghcr.io";
  for (const std::string& segment : segments) text += "/" + segment;
  return text;
}

TEST(ImageAllowlist, FindsWhatTheRuleNamesForAnyListAndAnyImage) {
  std::mt19937 random(20260101);
  const auto segments = [&random](const std::vector<std::string>& of) {
    std::vector<std::string> drawn(1 + random() % 4);
    for (std::string& segment : drawn) segment = of[random() % of.size()];
    return drawn;
  };
  int named = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::vector<std::string>> patterns;
    std::vector<std::string> texts;
    for (int i = 0; i < 12; ++i) {
      patterns.push_back(segments({"a", "b", "*"}));
      if (random() % 3 == 0) patterns.back().emplace_back("**");
      texts.push_back(Joined(patterns.back()));
    }
    const ImageAllowlist list = ListOf(texts);
    for (int i = 0; i < 12; ++i) {
      const std::vector<std::string> path = segments({"a", "b", "c"});
      std::vector<std::string> expected;
      for (std::size_t p = 0; p < patterns.size(); ++p) {
        if (NamesByTheRule(patterns[p], path)) expected.push_back(texts[p]);
      }
      EXPECT_EQ(Naming(list, Joined(path)), expected) << Joined(path);
      named += static_cast<int>(expected.size());
    }
  }
  EXPECT_GT(named, 1000);
}

// The entries that cover the pattern, as they were written, sorted.
std::vector<std::string> Covering(const ImageAllowlist& list, const std::string& pattern) {
  const auto parsed = RepositoryPattern::Parse(pattern, false);
  EXPECT_TRUE(parsed.has_value()) << pattern;
  std::vector<std::string> texts;
  if (!parsed) return texts;
  const bool found = list.AnyAround({*parsed, std::nullopt, {}}, [&](const ImageEntry& entry) {
    texts.push_back(entry.repository.text());
    return false;
  });
  EXPECT_FALSE(found);
  std::sort(texts.begin(), texts.end());
  return texts;
}

TEST(ImageAllowlist, CoveringEntriesNameAllThatThePatternNames) {
  const ImageAllowlist list = ListOf({"ghcr.io/team/**", "ghcr.io/team/*", "ghcr.io/team/job",
                                      "ghcr.io/*/job", "ghcr.io/team", "quay.io/team/**"});
  EXPECT_THAT(
      Covering(list, "ghcr.io/team/job"),
      ElementsAre("ghcr.io/*/job", "ghcr.io/team/*", "ghcr.io/team/**", "ghcr.io/team/job"));
  EXPECT_THAT(Covering(list, "ghcr.io/team/*"), ElementsAre("ghcr.io/team/*", "ghcr.io/team/**"));
  EXPECT_THAT(Covering(list, "ghcr.io/team/**"), ElementsAre("ghcr.io/team/**"));
  EXPECT_THAT(Covering(list, "ghcr.io/team/*/**"), ElementsAre("ghcr.io/team/**"));
  EXPECT_THAT(Covering(list, "ghcr.io/*"), IsEmpty());
}

TEST(ImageAllowlist, FindsWhatCoversAnyPatternOfAnyList) {
  std::mt19937 random(20260301);
  const auto pattern = [&random] {
    std::string text = random() % 8 == 0 ? "quay.io" : "ghcr.io";
    const std::vector<std::string> segments{"a", "b", "*"};
    for (auto left = 1 + random() % 4; left > 0; --left) text += "/" + segments[random() % 3];
    return random() % 3 == 0 ? text + "/**" : text;
  };
  int covered = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> texts(12);
    for (std::string& text : texts) text = pattern();
    const ImageAllowlist list = ListOf(texts);
    for (int i = 0; i < 12; ++i) {
      const std::string asked = pattern();
      const auto parsed = RepositoryPattern::Parse(asked, false);
      ASSERT_TRUE(parsed.has_value()) << asked;
      std::vector<std::string> expected;
      for (const ImageEntry& entry : list.entries()) {
        if (parsed->IsSubsetOf(entry.repository)) expected.push_back(entry.repository.text());
      }
      std::sort(expected.begin(), expected.end());
      EXPECT_EQ(Covering(list, asked), expected) << asked;
      covered += static_cast<int>(expected.size());
    }
  }
  EXPECT_GT(covered, 1000);
}

}  // namespace
}  // namespace tidewaiter::policy
