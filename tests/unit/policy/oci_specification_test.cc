// The expressions of the OCI specifications, run beside the parser on random texts of their own
// alphabet, and the examples of digests:
//   <name> and the tag of <reference>: distribution-spec v1.1, "Pulling manifests"
//   digests: image-spec v1.1, descriptor.md, "Digests" (grammar, table of examples)
// Where docs/POLICY.md ("Images") is stricter, the test says so.
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "policy/image_reference.h"
#include "policy/repository_name.h"
#include "tests/unit/policy/random_source.h"

namespace tidewaiter::policy {
namespace {

const std::regex kName(
    "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(\\/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*");
const std::regex kTag("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}");

std::string RandomText(RandomSource& random, const std::string& alphabet, std::size_t most) {
  std::string text(1 + random.Below(most), ' ');
  for (char& c : text) c = alphabet[random.Below(alphabet.size())];
  return text;
}

TEST(OciSpecification, NameIsTheExpressionOfTheDistributionSpec) {
  RandomSource random(8);
  std::size_t names = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = RandomText(random, "aaaz09._-/_A", 7);
    const bool is_name = std::regex_match(text, kName);
    if (is_name) ++names;
    ASSERT_EQ(IsRepositoryPath(text), is_name) << text;
  }
  EXPECT_GT(names, 1000U);
}

TEST(OciSpecification, TagIsTheExpressionOfTheDistributionSpec) {
  RandomSource random(9);
  std::size_t tags = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = RandomText(random, "azAZ09._-._-+~", random.Chance(95) ? 4 : 140);
    const bool is_tag = std::regex_match(text, kTag);
    if (is_tag) ++tags;
    ASSERT_EQ(ParseImageReference("ghcr.io/a:" + text).has_value(), is_tag) << text;
  }
  EXPECT_GT(tags, 1000U);
  EXPECT_TRUE(ParseImageReference("ghcr.io/a:" + std::string(128, 'x')).has_value());
  EXPECT_FALSE(ParseImageReference("ghcr.io/a:" + std::string(129, 'x')).has_value());
}

TEST(OciSpecification, RegisteredAlgorithmsOfTheImageSpecAreDigests) {
  EXPECT_TRUE(IsDigest("sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"));
  EXPECT_TRUE(IsDigest(
      "sha512:401b09eab3c013d4ca54922bb802bec8fd5318192b0a75f201d8b3727429080fb337591abd3e4"
      "4453b954555b7a0812e1081c39b740293f765eae731f5a65ed1"));
}

// "Implementations MAY" take algorithms that are not registered. A pin of an unknown one proves
// nothing, so they are refused; so is upper-case hexadecimal, which the specification forbids.
TEST(OciSpecification, OtherDigestsOfTheGrammarAreRefused) {
  for (const std::string& digest :
       {std::string("multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8"),
        std::string("sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564"),
        "sha384:" + std::string(96, 'a'), "blake3:" + std::string(64, 'a'),
        "sha256:" + std::string(64, 'A'), "sha512:" + std::string(64, 'a')}) {
    EXPECT_FALSE(IsDigest(digest)) << digest;
    EXPECT_FALSE(ParseImageReference("ghcr.io/a@" + digest).has_value()) << digest;
  }
}

}  // namespace
}  // namespace tidewaiter::policy
