#include "base/printable.h"

#include <gtest/gtest.h>

#include <string>

namespace tidewaiter {
namespace {

using namespace std::string_literals;

TEST(Printable, OrdinaryTextPasses) {
  EXPECT_EQ(Printable("ghcr.io/team/j\xC3\xB6"
                      "b \xF0\x9F\x90\xB3"),
            "ghcr.io/team/j\xC3\xB6"
            "b \xF0\x9F\x90\xB3");
}

TEST(Printable, ControlBytesAreEscaped) {
  EXPECT_EQ(Printable("a\nb\x1b[2J\x7f\0"s), "a\\x0ab\\x1b[2J\\x7f\\x00");
  EXPECT_EQ(Printable("\xC2\x85"), "\\xc2\\x85");
}

TEST(Printable, BidirectionalControlsAndLineSeparatorsAreEscaped) {
  EXPECT_EQ(Printable("\xE2\x80\xAE"), "\\xe2\\x80\\xae");
  EXPECT_EQ(Printable("\xE2\x80\xA8"), "\\xe2\\x80\\xa8");
  EXPECT_EQ(Printable("\xE2\x81\xA6"), "\\xe2\\x81\\xa6");
}

TEST(Printable, InvalidUtf8IsEscapedPerByte) {
  EXPECT_EQ(Printable("\xff\xC3(\xED\xA0\x80"), "\\xff\\xc3(\\xed\\xa0\\x80");
}

TEST(Printable, QuotesCannotBeForged) {
  EXPECT_EQ(Quoted("a' b\\"), "'a\\' b\\\\'");
  EXPECT_EQ(Printable("a' b"), "a' b");  // without quotes there is none to forge
}

TEST(Printable, LongTextIsCut) {
  const std::string cut = Printable(std::string(1000000, 'x'), 100);
  EXPECT_EQ(cut, std::string(100, 'x') + "...");
}

TEST(IsUtf8, FollowsRfc3629) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("\xF4\x8F\xBF\xBF"));
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xFE"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

TEST(Quoted, APasswordIsMaskedBeforeTheTextIsCut) {
  EXPECT_EQ(Quoted("user:" + std::string(1000, 'x') + "@host/image"), "'***@host/image'");
}

}  // namespace
}  // namespace tidewaiter
