#include "audit/hash_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr char kText[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

TEST(HashKey, HashesAsOthersDo) {
  const auto key = HashKey::Parse(kText);
  ASSERT_TRUE(key.has_value()) << key.error().message;
  // Python: hmac.new(bytes(range(32)), VALUE, "sha256").hexdigest()
  EXPECT_EQ(key->Hash("s3cr3t"),
            "hmac-sha256:5cc935b01a05052448b89e0dfc39f87c1427571750db69fe45203a8c505b7b1c");
  EXPECT_EQ(key->Hash(""),
            "hmac-sha256:d38b42096d80f45f826b44a9d5607de72496a415d3f4a1a8c88e3bb9da8dc1cb");
  EXPECT_EQ(key->Hash(std::string_view("a\0b\n", 4)),
            "hmac-sha256:46aab0d1306e6bb5baadceff0a542b7f0bb27183812457e96d53f44ba8ad33c2");
}

TEST(HashKey, IsWrittenAsItIsRead) {
  EXPECT_EQ(HashKey::Parse(kText)->ToString(), kText);
  const auto one = HashKey::Generate();
  const auto other = HashKey::Generate();
  ASSERT_TRUE(one.has_value() && other.has_value());
  EXPECT_THAT(one->ToString(), MatchesRegex("[0-9a-f]{64}\n"));
  EXPECT_NE(one->ToString(), other->ToString());
  EXPECT_EQ(HashKey::Parse(one->ToString())->Hash("x"), one->Hash("x"));
  EXPECT_NE(one->Hash("x"), other->Hash("x"));
}

TEST(HashKey, IsGoneWhereItWasMovedFrom) {
  auto was = HashKey::Parse(kText);
  ASSERT_TRUE(was.has_value());
  const HashKey key(*std::move(was));
  EXPECT_EQ(key.ToString(), kText);
  // NOLINTNEXTLINE(bugprone-use-after-move): what it left behind is the question
  EXPECT_EQ(was->ToString(), std::string(64, '0') + '\n');
}

TEST(HashKey, NothingElseIsAKey) {
  const std::string good = kText;
  std::string upper = good;
  upper[11] = 'A';
  std::string other = good;
  other[63] = 'g';
  for (const std::string& text :
       {std::string(), std::string("\n"), good.substr(0, 64), good + "\n", good.substr(2),
        "00" + good, upper, other, " " + good, good.substr(0, 64) + "\r\n",
        good.substr(0, 64) + " ", good.substr(0, 63) + "\n\n", std::string(65, '\0')}) {
    const auto key = HashKey::Parse(text);
    ASSERT_FALSE(key.has_value()) << text;
    EXPECT_EQ(key.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_THAT(key.error().message, HasSubstr("64 lower-case hexadecimal digits"));
    EXPECT_THAT(key.error().message, Not(HasSubstr("0203")));
  }
}

}  // namespace
}  // namespace tidewaiter::audit
