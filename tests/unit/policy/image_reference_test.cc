#include "policy/image_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::policy {
namespace {

using ::testing::HasSubstr;

const std::string kSha256 = "sha256:" + std::string(64, '0');

std::string Canonical(std::string_view text) {
  const auto image = ParseImageReference(text);
  return image ? image->Canonical() : "refused: " + image.error().message;
}

bool Refused(std::string_view text) {
  return !ParseImageReference(text).has_value();
}

TEST(ImageReference, TakesAllPartsApart) {
  const auto image = ParseImageReference("ghcr.io:443/team/sub/job:v1.2.3@" + kSha256);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->registry, "ghcr.io:443");
  EXPECT_EQ(image->repository, "team/sub/job");
  EXPECT_EQ(image->tag, "v1.2.3");
  EXPECT_EQ(image->digest, kSha256);
}

TEST(ImageReference, ShortNamesMeanDockerHub) {
  EXPECT_EQ(Canonical("busybox"), "docker.io/library/busybox");
  EXPECT_EQ(Canonical("busybox:1.36"), "docker.io/library/busybox:1.36");
  EXPECT_EQ(Canonical("docker.io/busybox"), "docker.io/library/busybox");
  EXPECT_EQ(Canonical("team/job"), "docker.io/team/job");
  EXPECT_EQ(Canonical("host:5000"), "docker.io/library/host:5000");
}

TEST(ImageReference, HubAliasIsDockerHub) {
  EXPECT_EQ(Canonical("index.docker.io/busybox"), "docker.io/library/busybox");
  EXPECT_EQ(Canonical("index.docker.io/team/job"), "docker.io/team/job");
}

TEST(ImageReference, HostIsLowerCasedBeforeHubDefaults) {
  EXPECT_EQ(Canonical("Index.Docker.IO/busybox"), "docker.io/library/busybox");
  EXPECT_EQ(Canonical("GHCR.io/team/job"), "ghcr.io/team/job");
  EXPECT_EQ(Canonical("LOCALHOST/job"), "localhost/job");
}

TEST(ImageReference, UpperCaseFirstSegmentWithoutDotIsNoRegistry) {
  // In lower case it would become a path on Docker Hub.
  EXPECT_TRUE(Refused("Team/job"));
}

TEST(ImageReference, UpperCasePathIsRefusedByName) {
  EXPECT_THAT(Canonical("ghcr.io/Team/job"), HasSubstr("upper-case"));
}

TEST(ImageReference, Ipv6RegistriesStandInBrackets) {
  EXPECT_EQ(Canonical("[::1]:5000/job"), "[::1]:5000/job");
  EXPECT_EQ(Canonical("[2001:DB8::1]/job:1"), "[2001:db8::1]/job:1");
  for (const char* bad : {"[::1/job", "::1/job", "[::1]x/job", "[::1]:/job", "[]/job", "[:::]/job",
                          "[fe80::1%eth0]/job", "[::ffff:1.2.3.4]/job", "[12345::]/job"}) {
    EXPECT_TRUE(Refused(bad)) << bad;
  }
}

TEST(ImageReference, BadRegistriesAreRefused) {
  for (const char* bad :
       {"ghcr.io:/x", "ghcr.io:0/x", "ghcr.io:65536/x", "ghcr.io:0443/x", "ghcr.io:4a/x",
        "ghcr..io/x", ".ghcr.io/x", "ghcr.io./x", "-ghcr.io/x", "ghcr-.io/x", "gh_cr.io/x",
        "user@ghcr.io/x", "http://ghcr.io/x", "ghcr.io:443:443/x"}) {
    EXPECT_TRUE(Refused(bad)) << bad;
  }
  EXPECT_TRUE(Refused(std::string(64, 'a') + ".io/x"));
}

TEST(ImageReference, PathSegmentsFollowTheGrammar) {
  for (const char* good : {"a.b/c", "a/b_c", "a/b__c", "a/b-c", "a/b---c", "a/0.1"}) {
    EXPECT_FALSE(Refused(std::string("ghcr.io/") + good)) << good;
  }
  for (const char* bad :
       {"",   "/",  "a//b", "/a",     "a/",    "a..b", "a___b", "a_-b",  "-a",   "a-",
        ".a", "a.", "_a",   "a/../b", "a/./b", "a b",  "a\tb",  "a%2fb", "a\\b", "ä"}) {
    EXPECT_TRUE(Refused(std::string("ghcr.io/") + bad)) << bad;
  }
}

TEST(ImageReference, ControlBytesAreRefusedEverywhere) {
  using namespace std::string_literals;
  for (const std::string& bad :
       {"ghcr.io/a\0b"s, "ghcr.io/a\n"s, "ghcr.io/a:1\n"s, " ghcr.io/a"s, "ghcr.io/a "s,
        "ghcr.io/a:1\0"s, "\0"s, "ghcr.io/a@" + kSha256 + "\n"}) {
    EXPECT_TRUE(Refused(bad)) << bad;
  }
}

TEST(ImageReference, TagsFollowTheGrammar) {
  EXPECT_EQ(Canonical("a/b:_X.y-Z"), "docker.io/a/b:_X.y-Z");
  EXPECT_FALSE(Refused("a/b:" + std::string(128, 'x')));
  EXPECT_TRUE(Refused("a/b:" + std::string(129, 'x')));
  for (const char* bad : {"a/b:", "a/b:.x", "a/b:-x", "a/b:x+y", "a/b:x:y", "a/b:x/y:", "a/b:1 "}) {
    EXPECT_TRUE(Refused(bad)) << bad;
  }
}

TEST(ImageReference, OnlySha256AndSha512OfTheirLengthAreDigests) {
  EXPECT_FALSE(Refused("a/b@sha256:" + std::string(64, 'f')));
  EXPECT_FALSE(Refused("a/b@sha512:" + std::string(128, 'f')));
  for (const std::string& bad :
       {"sha256:" + std::string(63, 'f'), "sha256:" + std::string(65, 'f'),
        "sha256:" + std::string(64, 'F'), "sha512:" + std::string(64, 'f'),
        "sha384:" + std::string(96, 'f'), "SHA256:" + std::string(64, 'f'), std::string(64, 'f'),
        std::string(), std::string("sha256"), kSha256 + "@" + kSha256}) {
    EXPECT_TRUE(Refused("a/b@" + bad)) << bad;
  }
}

TEST(ImageReference, BareHexadecimalIsNoName) {
  EXPECT_TRUE(Refused(std::string(64, 'a')));
  EXPECT_FALSE(Refused(std::string(63, 'a')));
}

TEST(ImageReference, NameIsBounded) {
  const std::string longest = "ghcr.io/" + std::string(247, 'a');
  EXPECT_EQ(longest.size(), 255U);
  EXPECT_FALSE(Refused(longest));
  EXPECT_TRUE(Refused(longest + "a"));
  // The registry and "library/" that are filled in count too.
  EXPECT_TRUE(Refused(std::string(250, 'a')));
}

TEST(ImageReference, OverlongTextIsRefusedUnread) {
  EXPECT_THAT(Canonical(std::string(1U << 20U, 'a')), HasSubstr("4096"));
}

TEST(ImageReference, CanonicalFormParsesToItself) {
  for (const std::string& text :
       {std::string("busybox"), std::string("a/b:1"), "LOCALHOST:5000/a@" + kSha256,
        "index.docker.io/x:1@" + kSha256, std::string("[2001:DB8::1]:1/a/b/c:t")}) {
    const auto once = ParseImageReference(text);
    ASSERT_TRUE(once.has_value()) << text;
    const auto twice = ParseImageReference(once->Canonical());
    ASSERT_TRUE(twice.has_value()) << once->Canonical();
    EXPECT_EQ(*once, *twice);
  }
}

}  // namespace
}  // namespace tidewaiter::policy
