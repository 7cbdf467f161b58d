#include "client/commands/quantity_text.h"

#include <gtest/gtest.h>

namespace tidewaiter::cli {
namespace {

using std::chrono::milliseconds;

TEST(ParseByteSize, ReadsDockersUnitsAsPowersOf1024) {
  EXPECT_EQ(ParseByteSize("64").value(), 64);
  EXPECT_EQ(ParseByteSize("64b").value(), 64);
  EXPECT_EQ(ParseByteSize("2k").value(), 2048);
  EXPECT_EQ(ParseByteSize("512m").value(), 512LL << 20);
  EXPECT_EQ(ParseByteSize("2g").value(), 2LL << 30);
  EXPECT_EQ(ParseByteSize("2G").value(), 2LL << 30);
  EXPECT_EQ(ParseByteSize("2GB").value(), 2LL << 30);
  EXPECT_EQ(ParseByteSize("2GiB").value(), 2LL << 30);
  EXPECT_EQ(ParseByteSize("2 GiB").value(), 2LL << 30);
  EXPECT_EQ(ParseByteSize("1t").value(), 1LL << 40);
}

TEST(ParseByteSize, ReadsFractions) {
  EXPECT_EQ(ParseByteSize("1.5g").value(), 3LL << 29);
  EXPECT_EQ(ParseByteSize("0.1k").value(), 102);
}

TEST(ParseByteSize, KeepsASignForThePolicyToRefuse) {
  EXPECT_EQ(ParseByteSize("-1").value(), -1);
}

TEST(ParseByteSize, RefusesWhatDoesNotFit) {
  EXPECT_EQ(ParseByteSize("9223372036854775807").value(), 9223372036854775807LL);
  EXPECT_FALSE(ParseByteSize("9223372036854775808"));
  EXPECT_FALSE(ParseByteSize("8192p"));
}

TEST(ParseByteSize, RefusesWhatIsNoSize) {
  for (const char* text : {"", "m", "2x", "2gg", "2gib2", "1.", ".5", "1,5g", "0x10", "+1", "2bb",
                           "2bi", "1e3", "--1", "2  g"}) {
    EXPECT_FALSE(ParseByteSize(text)) << text;
  }
}

TEST(ParseDuration, ReadsPartsAndPlainSeconds) {
  EXPECT_EQ(ParseDuration("90").value(), milliseconds(90'000));
  EXPECT_EQ(ParseDuration("90s").value(), milliseconds(90'000));
  EXPECT_EQ(ParseDuration("15m").value(), milliseconds(900'000));
  EXPECT_EQ(ParseDuration("1h30m").value(), milliseconds(5'400'000));
  EXPECT_EQ(ParseDuration("1.5h").value(), milliseconds(5'400'000));
  EXPECT_EQ(ParseDuration("250ms").value(), milliseconds(250));
  EXPECT_EQ(ParseDuration("0.25").value(), milliseconds(250));
}

TEST(ParseDuration, RefusesWhatIsFinerThanAMillisecond) {
  EXPECT_FALSE(ParseDuration("0.5ms"));
  EXPECT_FALSE(ParseDuration("0.0001s"));
}

TEST(ParseDuration, RefusesWhatIsNoDuration) {
  for (const char* text :
       {"", "s", "1x", "1h30", "0s5", "1m-1s", "99999999999999999999s", "9223372036854775807d"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(FormatBytes, ChoosesTheUnit) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(2LL << 30), "2 GiB");
}

TEST(FormatDuration, IsExact) {
  EXPECT_EQ(FormatDuration(milliseconds(1500)), "1.5 s");
  EXPECT_EQ(FormatDuration(milliseconds(900'000)), "15 min");
  EXPECT_EQ(FormatDuration(milliseconds(5'401'000)), "1 h 30 min 1 s");
  EXPECT_EQ(FormatDuration(milliseconds(0)), "0 s");
}

TEST(QuantityText, WhatIsOnlyAboutKnownIsRounded) {
  using std::chrono::milliseconds;
  EXPECT_EQ(FormatAbout(milliseconds(310)), "0.31 s");
  EXPECT_EQ(FormatAbout(milliseconds(1249)), "1.2 s");
  EXPECT_EQ(FormatAbout(milliseconds(14'848)), "15 s");
  EXPECT_EQ(FormatAbout(milliseconds(3'600'400)), "1 h");
  EXPECT_EQ(FormatAbout(milliseconds(INT64_MAX)),
            FormatDuration(milliseconds(INT64_MAX / 1000 * 1000)));
}

}  // namespace
}  // namespace tidewaiter::cli
