#include "audit/record_members.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace tidewaiter::audit {
namespace {

std::string Nested(std::size_t depth) {
  return R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

TEST(RecordMembers, AreReadByName) {
  const auto members =
      ParseMembers(R"({"text":"a\nb","number":-3,"flag":true,"inner":{"text":"deep"}})");
  ASSERT_TRUE(members.has_value());
  EXPECT_EQ(TextOf(*members, "text"), "a\nb");
  EXPECT_EQ(IntegerOf(*members, "number"), -3);
  EXPECT_TRUE(FlagOf(*members, "flag"));
  EXPECT_EQ(TextOf(MemberOf(*members, "inner"), "text"), "deep");
}

TEST(RecordMembers, WhatIsAbsentOrOfAnotherTypeIsNothing) {
  const auto members = ParseMembers(R"({"number":1.5,"large":18446744073709551615,"text":[]})");
  ASSERT_TRUE(members.has_value());
  EXPECT_EQ(TextOf(*members, "text"), "");
  EXPECT_EQ(TextOf(*members, "none"), "");
  EXPECT_EQ(IntegerOf(*members, "number"), std::nullopt);
  EXPECT_EQ(IntegerOf(*members, "large"), std::nullopt);
  EXPECT_FALSE(FlagOf(*members, "number"));
  EXPECT_EQ(TextOf(MemberOf(MemberOf(*members, "text"), "x"), "y"), "");
}

TEST(RecordMembers, WhatIsNoObjectIsRefused) {
  for (const char* line : {"", "[]", "1", R"({"a":1)", R"({"a":1}})", "{\"a\":\"\xff\"}"}) {
    EXPECT_FALSE(ParseMembers(line).has_value()) << line;
  }
}

TEST(RecordMembers, NestingIsBounded) {
  EXPECT_TRUE(ParseMembers(Nested(kMaxRecordDepth)).has_value());
  EXPECT_FALSE(ParseMembers(Nested(kMaxRecordDepth + 1)).has_value());
  EXPECT_FALSE(ParseMembers(Nested(400'000)).has_value());
}

TEST(RecordMembers, BracketsInATextAreNoNesting) {
  const std::string brackets(100, '[');
  EXPECT_TRUE(ParseMembers(R"({"a":"\")" + brackets + R"("})").has_value());
}

}  // namespace
}  // namespace tidewaiter::audit
