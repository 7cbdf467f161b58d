// The prefix field of a ustar header, and the two times that star and node-tar keep at its end.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/tar_bytes.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::extract {
namespace {

using testing::TarBytes;

const std::string kTime("15300602077\0", 12);
const std::string kSpacedTime("15300602077 ", 12);
const std::string kNoTime(12, '\0');

// With the times from its 132nd byte on.
std::string Prefix(std::string prefix, const std::string& access, const std::string& change) {
  prefix.resize(131, '\0');
  return prefix + access + change;
}

std::string CodeOfPrefix(const std::string& prefix) {
  return CodeOf(TarBytes().Add({.name = "f", .prefix = prefix}, "x").Ended());
}

TEST(TarPrefix, TimesAtItsEndAreNoName) {
  for (const std::string& prefix : {Prefix("", kTime, kTime), Prefix("", kSpacedTime, kSpacedTime),
                                    Prefix("", kTime, kNoTime), Prefix("", kNoTime, kTime)}) {
    RecordingSink sink;
    ASSERT_TRUE(ExtractBytes(TarBytes().Add({.name = "f", .prefix = prefix}, "x").Ended(), sink));
    EXPECT_TRUE(sink.files.contains("f"));
  }
}

TEST(TarPrefix, BeforeTheTimesItIsAName) {
  const std::string folder(130, 'd');
  RecordingSink sink;
  ASSERT_TRUE(ExtractBytes(
      TarBytes().Add({.name = "f", .prefix = Prefix(folder, kTime, kTime)}, "x").Ended(), sink));
  EXPECT_TRUE(sink.files.contains(folder + "/f"));
}

TEST(TarPrefix, HeadersOfHeadersMayHaveTimesToo) {
  const std::string times = Prefix("", kTime, kTime);
  const std::string record = TarBytes::Record("path", "long");
  EXPECT_EQ(CodeOf(TarBytes()
                       .Add({.name = "PaxHeader/f", .type = 'x', .prefix = times}, record)
                       .Add({.name = "f", .prefix = times}, "x")
                       .Ended()),
            "accepted");
}

TEST(TarPrefix, WhatIsNoTimeIsAmbiguous) {
  for (const std::string& time :
       {std::string("1530060207x\0", 12), std::string("15300602078\0", 12),
        std::string("1530060207\0\0", 12), std::string(" 1530060207\0", 12),
        std::string("153006020771"), std::string("           \0", 12), std::string(12, ' '),
        std::string("\x80\0\0\0\0\0\0\0\0\0\0\1", 12), std::string(11, '\0') + '1'}) {
    EXPECT_EQ(CodeOfPrefix(Prefix("", time, kTime)), "ambiguous") << time;
    EXPECT_EQ(CodeOfPrefix(Prefix("", kTime, time)), "ambiguous") << time;
  }
}

TEST(TarPrefix, AnythingElseAfterItsNulIsAmbiguous) {
  EXPECT_EQ(CodeOfPrefix(Prefix(std::string("a\0b", 3), kTime, kTime)), "ambiguous");
  EXPECT_EQ(CodeOfPrefix(Prefix(std::string(130, '\0') + "b", kTime, kTime)), "ambiguous");
}

// A name that goes on where the times would be.
TEST(TarPrefix, WithoutANulBeforeThemTheTimesAreAName) {
  const std::string folder(131, 'd');
  RecordingSink sink;
  ASSERT_TRUE(ExtractBytes(
      TarBytes().Add({.name = "f", .prefix = Prefix(folder, kTime, kNoTime)}, "x").Ended(), sink));
  EXPECT_TRUE(sink.files.contains(folder + "15300602077/f"));
  EXPECT_EQ(CodeOfPrefix(Prefix(folder, kTime, kTime)), "ambiguous");
}

TEST(TarPrefix, OtherFormatsHaveNoTimesThere) {
  for (const std::string& magic : {std::string("ustar  \0", 8), std::string(8, '\0')}) {
    EXPECT_EQ(
        CodeOf(TarBytes()
                   .Add({.name = "f", .magic = magic, .prefix = Prefix("", kTime, kTime)}, "x")
                   .Ended()),
        "ambiguous");
  }
}

}  // namespace
}  // namespace tidewaiter::extract
