#include "policy/repository_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::policy {
namespace {

RepositoryPattern Pattern(std::string_view text) {
  auto pattern = RepositoryPattern::Parse(text, false);
  EXPECT_TRUE(pattern.has_value()) << text;
  return *pattern;
}

TEST(RepositoryPattern, ProductionWantsALiteralNamespace) {
  EXPECT_FALSE(RepositoryPattern::Parse("ghcr.io/*", true).has_value());
  EXPECT_FALSE(RepositoryPattern::Parse("ghcr.io/**", true).has_value());
  EXPECT_FALSE(RepositoryPattern::Parse("ghcr.io/*/job", true).has_value());
  EXPECT_TRUE(RepositoryPattern::Parse("ghcr.io/team/*", true).has_value());
  EXPECT_TRUE(RepositoryPattern::Parse("ghcr.io/**", false).has_value());
}

TEST(RepositoryPattern, AnythingElseIsAnErrorAtLoad) {
  for (const char* bad : {"",
                          "ghcr.io",
                          "ghcr.io/",
                          "*/team",
                          "*.io/team",
                          "ghcr.*/team/x",
                          "team/*",
                          "busybox",
                          "GHCR.io/team/*",
                          "ghcr.io/Team/*",
                          "ghcr.io/team/job*",
                          "ghcr.io/team/*job",
                          "ghcr.io/te*am/x",
                          "ghcr.io/team/**/x",
                          "ghcr.io/team/***",
                          "ghcr.io/team/x:1",
                          "ghcr.io/team/x@sha256:0",
                          "ghcr.io//x",
                          "ghcr.io/team/",
                          "ghcr.io/../x",
                          "ghcr.io/team/?",
                          "docker.io/busybox",
                          "index.docker.io/library/busybox",
                          "docker.io/*",
                          "https://ghcr.io/x"}) {
    EXPECT_FALSE(RepositoryPattern::Parse(bad, false).has_value()) << bad;
  }
}

TEST(RepositoryPattern, RegistryMayHaveAPort) {
  EXPECT_EQ(Pattern("127.0.0.1:5000/**").registry(), "127.0.0.1:5000");
  EXPECT_EQ(Pattern("[::1]:5000/x").registry(), "[::1]:5000");
  EXPECT_EQ(Pattern("localhost/x").registry(), "localhost");
}

TEST(RepositoryPattern, Subsets) {
  const auto inside = [](std::string_view inner, std::string_view outer) {
    return Pattern(inner).IsSubsetOf(Pattern(outer));
  };
  EXPECT_TRUE(inside("ghcr.io/team/job", "ghcr.io/team/*"));
  EXPECT_TRUE(inside("ghcr.io/team/*", "ghcr.io/team/**"));
  EXPECT_TRUE(inside("ghcr.io/team", "ghcr.io/team/**"));
  EXPECT_TRUE(inside("ghcr.io/team/a/**", "ghcr.io/team/**"));
  EXPECT_TRUE(inside("ghcr.io/team/**", "ghcr.io/team/**"));
  EXPECT_FALSE(inside("ghcr.io/team/*", "ghcr.io/team/job"));
  EXPECT_FALSE(inside("ghcr.io/team/**", "ghcr.io/team/*"));
  EXPECT_FALSE(inside("ghcr.io/team/**", "ghcr.io/team/a/**"));
  EXPECT_FALSE(inside("ghcr.io/team/a", "quay.io/team/a"));
  EXPECT_FALSE(inside("ghcr.io/team/a/b", "ghcr.io/team/a"));
}

}  // namespace
}  // namespace tidewaiter::policy
