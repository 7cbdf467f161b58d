#include "broker/docker/log_tally.h"

#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::docker {
namespace {

using std::chrono::seconds;
using Stream = run::OutputStream;

EngineTime At(int second) {
  return EngineTime(seconds(second));
}

void Add(LogTally& tally, int second, std::string_view text, Stream stream = Stream::kStdout) {
  tally.Add({.stream = stream,
             .time = At(second),
             .data = std::as_bytes(std::span(text)),
             .first = true,
             .last = true});
}

TEST(LogTallyTest, NextReadingBeginsWithWhatCameSince) {
  LogTally tally({}, At(20));
  Add(tally, 10, "one\n");
  Add(tally, 11, "error\n", Stream::kStderr);
  Add(tally, 20, "two\n");
  Add(tally, 21, "three\n");
  const auto next = tally.Next();
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->since, At(20));
  EXPECT_EQ(next->bytes[0], 4U);
  EXPECT_EQ(next->bytes[1], 6U);
  EXPECT_EQ(next->first, (LogSign{.time = At(20), .stream = Stream::kStdout}));
  EXPECT_EQ(tally.bytes(Stream::kStdout), 14U);
}

TEST(LogTallyTest, CountsGoOnFromAMark) {
  LogTally first({}, At(20));
  Add(first, 10, "one\n");
  Add(first, 20, "two\n");
  LogTally second(*first.Next(), At(30));
  EXPECT_EQ(second.bytes(Stream::kStdout), 4U);
  Add(second, 20, "two\n");
  Add(second, 30, "three\n");
  EXPECT_EQ(second.bytes(Stream::kStdout), 14U);
  EXPECT_EQ(second.Next()->bytes[0], 8U);
  LogTally whole({}, At(0));
  Add(whole, 10, "one\n");
  Add(whole, 20, "two\n");
  Add(whole, 30, "three\n");
  EXPECT_EQ(second.kept(), whole.kept());
}

TEST(LogTallyTest, WithoutAMessageSinceThenNothingTellsThatPlaceAgain) {
  LogTally tally({}, At(20));
  Add(tally, 10, "one\n");
  EXPECT_FALSE(tally.Next().has_value());
}

// The rest of a line has the time of its first piece.
TEST(LogTallyTest, UnfinishedLineHoldsTheNextReadingBack) {
  LogTally tally({}, At(20));
  Add(tally, 10, "begun", Stream::kStderr);
  Add(tally, 20, "two\n");
  EXPECT_FALSE(tally.Next().has_value());
  Add(tally, 10, "and ended\n", Stream::kStderr);
  EXPECT_TRUE(tally.Next().has_value());
}

TEST(LogTallyTest, UnfinishedLineAfterTheNextBeginningHoldsNothingBack) {
  LogTally tally({}, At(20));
  Add(tally, 20, "two\n");
  Add(tally, 21, "begun");
  EXPECT_TRUE(tally.Next().has_value());
}

TEST(LogTallyTest, PieceOfALineIsNoPlaceToBegin) {
  LogTally parts({}, At(20));
  Add(parts, 20, "begun");
  Add(parts, 20, "and ended\n");
  Add(parts, 21, "line\n");
  EXPECT_FALSE(parts.first_is_line());
  EXPECT_FALSE(parts.Next().has_value());
  LogTally line({}, At(20));
  Add(line, 20, "line\n");
  Add(line, 20, "begun");
  EXPECT_TRUE(line.first_is_line());
}

TEST(LogTallyTest, ClockThatWasSetBackTellsNothing) {
  LogTally tally({}, At(20));
  Add(tally, 25, "one\n");
  Add(tally, 21, "two\n", Stream::kStderr);
  EXPECT_TRUE(tally.in_order());  // streams are read by themselves
  Add(tally, 24, "three\n");
  EXPECT_FALSE(tally.in_order());
  EXPECT_FALSE(tally.Next().has_value());
}

TEST(LogTallyTest, MessageInPiecesCountsOnce) {
  LogTally whole({}, At(0));
  Add(whole, 10, "abc\n");
  LogTally pieces({}, At(0));
  const std::string_view text = "abc\n";
  for (std::size_t i = 0; i < text.size(); ++i) {
    pieces.Add({.stream = Stream::kStdout,
                .time = At(10),
                .data = std::as_bytes(std::span(text.substr(i, 1))),
                .first = i == 0,
                .last = i + 1 == text.size()});
  }
  EXPECT_EQ(pieces.kept(), whole.kept());
  EXPECT_EQ(pieces.bytes(Stream::kStdout), 4U);
  EXPECT_TRUE(pieces.first_is_line());
}

// Sizes of files, seen with 20.10: a million blank lines, and 64 MiB without a line's end.
TEST(LogTallyTest, NoLogTakesMoreOfTheEnginesFilesThanIsCounted) {
  LogTally blank({}, At(0));
  Add(blank, 10, "\n");
  EXPECT_GE(blank.kept(), 26U);
  LogTally part({}, At(0));
  Add(part, 10, std::string(16384, '\0'));
  EXPECT_GE(part.kept(), 67530625U / 4096);
}

}  // namespace
}  // namespace tidewaiter::docker
