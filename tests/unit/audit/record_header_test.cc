#include "audit/record_header.h"

#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::audit {
namespace {

constexpr std::string_view kLine =
    R"({"index":7,"outcome":{"run_id":"inner","x":["}",{"y":1}]},"principal":"a\"b",)"
    R"("run_id":"r","time":"t","type":"run.finished"})";

TEST(RecordHeader, ReadsTheOuterMembersOnly) {
  const auto header = ReadHeader(kLine);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->index, 7U);
  EXPECT_EQ(header->run_id, "r");
  EXPECT_EQ(header->principal, R"(a\"b)");
  EXPECT_EQ(header->type, "run.finished");
}

TEST(RecordHeader, NoPrefixOfARecordIsARecord) {
  for (std::size_t length = 0; length < kLine.size(); ++length) {
    EXPECT_FALSE(ReadHeader(kLine.substr(0, length)).has_value()) << length;
  }
}

TEST(RecordHeader, TextBehindTheObjectIsRefused) {
  EXPECT_FALSE(ReadHeader(std::string(kLine) + "}").has_value());
  EXPECT_FALSE(ReadHeader(std::string(kLine) + " ").has_value());
}

TEST(RecordHeader, AnIndexThatIsNoNumberIsRefused) {
  for (const char* index : {"-1", "1.5", "\"x\"", "18446744073709551616", "null"}) {
    const std::string line =
        std::string(R"({"index":)") + index + R"(,"time":"t","type":"run.denied"})";
    EXPECT_FALSE(ReadHeader(line).has_value()) << line;
  }
}

TEST(RecordHeader, DeepNestingTakesNoStack) {
  const std::string depth(1'000'000, '[');
  EXPECT_FALSE(ReadHeader(R"({"a":)" + depth).has_value());
}

TEST(RecordHeader, ZeroBytesAreNoRecord) {
  EXPECT_FALSE(ReadHeader(std::string(4096, '\0')).has_value());
}

}  // namespace
}  // namespace tidewaiter::audit
