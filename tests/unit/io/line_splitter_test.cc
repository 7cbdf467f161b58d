#include "broker/io/line_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidewaiter::io {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Split(LineSplitter& splitter, std::string_view text, std::size_t step) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size(); at += step) {
    splitter.Feed(text.substr(at, step), [&lines](std::string_view line) {
      lines.emplace_back(line);
      return true;
    });
  }
  return lines;
}

TEST(LineSplitterTest, LinesComeWholeHoweverTheBytesAreCut) {
  for (std::size_t step = 1; step < 12; ++step) {
    LineSplitter splitter(100);
    EXPECT_THAT(Split(splitter, "{1}\r\n{22}\n\n{3}\nrest", step),
                ElementsAre("{1}", "{22}", "{3}"));
  }
}

TEST(LineSplitterTest, LineOverTheBoundIsSkippedAndCounted) {
  for (std::size_t step = 1; step < 20; ++step) {
    LineSplitter splitter(4);
    EXPECT_THAT(Split(splitter, "ab\n123456789\nabcd\n", step), ElementsAre("ab", "abcd"));
    EXPECT_EQ(splitter.oversized(), 1U);
  }
}

TEST(LineSplitterTest, StopsWhereTheReaderHasSeenEnough) {
  LineSplitter splitter(10);
  int seen = 0;
  EXPECT_FALSE(splitter.Feed("a\nb\nc\n", [&seen](std::string_view) { return ++seen < 2; }));
  EXPECT_EQ(seen, 2);
}

}  // namespace
}  // namespace tidewaiter::io
