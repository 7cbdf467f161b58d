#include "broker/docker/engine_time.h"

#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::docker {
namespace {

std::string Since(std::string_view text) {
  const auto time = ParseEngineTime(text);
  return time ? SinceText(*time) : "none";
}

TEST(EngineTimeTest, EveryNanosecondCounts) {
  EXPECT_EQ(Since("2026-11-22T18:51:09.765925175Z"), "1795373469.765925175");
  EXPECT_EQ(Since("2026-11-22T18:51:09.000000001Z"), "1795373469.000000001");
}

TEST(EngineTimeTest, FractionMayBeShortOrAbsent) {
  EXPECT_EQ(Since("2026-11-22T18:51:09.5Z"), "1795373469.500000000");
  EXPECT_EQ(Since("2026-11-22T18:51:09Z"), "1795373469.000000000");
}

// A daemon writes the times of logs in its own zone.
TEST(EngineTimeTest, OffsetIsTakenOff) {
  EXPECT_EQ(Since("2026-11-22T20:51:09.000000000+02:00"), "1795373469.000000000");
  EXPECT_EQ(Since("2026-11-22T15:21:09-03:30"), "1795373469.000000000");
}

TEST(EngineTimeTest, NeverIsNoTime) {
  EXPECT_EQ(Since("0001-01-01T00:00:00Z"), "none");
}

TEST(EngineTimeTest, WhatIsNoTimeIsNone) {
  for (const std::string_view text :
       {"", "2026", "2026-11-22 18:51:09Z", "2026-11-22T18:51:09", "2026-11-22T18:51:09Zx",
        "2026-13-22T18:51:09Z", "2026-02-30T18:51:09Z", "2026-11-22T24:51:09Z",
        "2026-11-22T18:60:09Z", "2026-11-22T18:51:60Z", "2026-11-22T18:51:09.Z",
        "2026-11-22T18:51:09.0000000001Z", "2026-11-22T18:51:09+24:00", "2262-01-01T00:00:00Z",
        "-026-11-22T18:51:09Z", "2026-11-22T18:51:09+0200"}) {
    EXPECT_EQ(Since(text), "none") << text;
  }
}

}  // namespace
}  // namespace tidewaiter::docker
