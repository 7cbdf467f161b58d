#include "audit/canonical_json.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

TEST(CanonicalJson, APasswordIsMaskedBeforeTheTextIsCut) {
  EXPECT_EQ(JsonString("https://user:password@host"), "\"https://***@host\"");
  EXPECT_EQ(JsonString("https://user:" + std::string(10'000, 'x') + "@host", 30),
            "\"https://***@host\"");
}

TEST(CanonicalJson, MembersAreSortedByName) {
  JsonObject json;
  json.Integer("b", 2);
  json.Flag("c", true);
  json.Text("a", "x");
  EXPECT_EQ(std::move(json).Finish(), R"({"a":"x","b":2,"c":true})");
}

TEST(CanonicalJson, StringsAreEscapedAsRfc8785Asks) {
  // The example of RFC 8785 section 3.2.2, as far as it is about strings.
  EXPECT_EQ(JsonString("\xE2\x82\xAC$\x0F\nA'B\"\\\\\"/"),
            "\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
}

TEST(CanonicalJson, BytesThatAreNoUtf8BecomeReplacementCharacters) {
  EXPECT_EQ(JsonString("a\xFFz\xC3"), "\"a\xEF\xBF\xBDz\xEF\xBF\xBD\"");
}

TEST(CanonicalJson, EveryByteSequenceGivesValidJsonInUtf8) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text{static_cast<char>(first), static_cast<char>(second), 'x'};
      const std::string json = JsonString(text);
      ASSERT_TRUE(IsUtf8(json)) << first << ' ' << second;
      ASSERT_TRUE(nlohmann::json::accept(json)) << json;
    }
  }
}

TEST(CanonicalJson, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(JsonString("ab\xE2\x82\xAC", 4), "\"ab...\"");
  EXPECT_EQ(JsonString("ab\xE2\x82\xAC", 5), "\"ab\xE2\x82\xAC\"");
}

TEST(CanonicalJson, TheCutCountsEscapes) {
  EXPECT_LE(JsonString(std::string(100'000, '\x01')).size(), kMaxTextBytes + 5);
}

TEST(CanonicalJson, IntegersStayWithinWhatADoubleHolds) {
  EXPECT_EQ(JsonInteger(std::numeric_limits<std::int64_t>::max()), "9007199254740991");
  EXPECT_EQ(JsonInteger(std::numeric_limits<std::int64_t>::min()), "-9007199254740991");
  EXPECT_EQ(JsonInteger(-7), "-7");
}

TEST(CanonicalJson, AnEmptyTextIsLeftOutWhereAskedTo) {
  JsonObject json;
  json.TextIfAny("a", "");
  EXPECT_EQ(std::move(json).Finish(), "{}");
}

}  // namespace
}  // namespace tidewaiter::audit
