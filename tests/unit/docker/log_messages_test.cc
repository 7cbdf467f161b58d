#include "broker/docker/log_messages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace tidewaiter::docker {
namespace {

std::string FrameOf(char type, std::string_view payload) {
  std::string frame(8, '\0');
  frame[0] = type;
  for (std::size_t i = 0; i < 4; ++i) {
    frame[4 + i] = static_cast<char>((payload.size() >> (8 * (3 - i))) & 0xFFU);
  }
  return frame + std::string(payload);
}

const std::string kTime = "2026-11-22T18:51:09.765925175Z ";

// "out(SINCE):text|" for each message, its pieces put together; "error" at the end of what has one.
std::string Shown(std::string_view raw, std::size_t piece_size = 1000) {
  LogMessages messages;
  std::string shown;
  const auto add = [&](const LogPiece& piece) {
    if (piece.first) {
      shown += piece.stream == run::OutputStream::kStdout ? "out(" : "err(";
      shown += SinceText(piece.time) + "):";
    }
    for (const std::byte b : piece.data) shown += std::to_integer<char>(b);
    if (piece.last) shown += '|';
  };
  for (; !raw.empty(); raw.remove_prefix(std::min(piece_size, raw.size()))) {
    const std::string_view piece = raw.substr(0, piece_size);
    if (!messages.Feed(std::as_bytes(std::span(piece)), add)) return shown + "error";
  }
  return messages.Finish() ? shown : shown + "cut";
}

TEST(LogMessagesTest, MessagesAreReadHoweverTheyCome) {
  const std::string raw = FrameOf(1, kTime + "a b\n") + FrameOf(2, kTime + "c") +
                          FrameOf(1, "2026-11-22T20:51:10.000000001+02:00 \n");
  for (std::size_t size = 1; size <= raw.size(); ++size) {
    EXPECT_EQ(Shown(raw, size),
              "out(1795373469.765925175):a b\n|err(1795373469.765925175):c|"
              "out(1795373470.000000001):\n|")
        << size;
  }
}

std::string OfLine(std::size_t bytes) {
  return FrameOf(1, kTime + std::string(bytes, 'x'));
}
const std::string kOther = "2026-11-22T18:51:10.000000000Z ";

std::size_t LineEnds(const std::string& raw) {
  const std::string shown = Shown(raw, 100000);
  return static_cast<std::size_t>(std::count(shown.begin(), shown.end(), '\n'));
}

TEST(LogMessagesTest, ForgottenEndOfALineInPiecesIsPutBackBeforeTheNext) {
  for (const std::size_t rest : {0U, 1U, 16383U}) {
    const std::string line = OfLine(16384) + OfLine(16384) + OfLine(rest);
    EXPECT_EQ(LineEnds(line + FrameOf(1, kOther + "next")), 1U) << rest;
    const std::string shown = Shown(line + FrameOf(1, kOther + "next"), 100000);
    EXPECT_TRUE(shown.ends_with("|out(1795373469.765925175):\n|out(1795373470.000000000):next|"));
  }
}

TEST(LogMessagesTest, NoEndIsPutBackWhereThereMayHaveBeenNone) {
  EXPECT_EQ(LineEnds(OfLine(16384) + OfLine(1)), 0U);  // nothing follows
  EXPECT_EQ(LineEnds(OfLine(16384) + OfLine(1) + FrameOf(2, kOther + "other stream")), 0U);
  EXPECT_EQ(LineEnds(OfLine(16384) + OfLine(16384) + OfLine(16384)), 0U);  // goes on
  EXPECT_EQ(LineEnds(OfLine(1) + FrameOf(1, kOther + "next")), 0U);        // not in pieces
}

TEST(LogMessagesTest, EndThatALaterEngineTellsIsNotPutBackAgain) {
  EXPECT_EQ(LineEnds(OfLine(16384) + FrameOf(1, kTime + "x\n") + FrameOf(1, kOther + "next")), 1U);
}

TEST(LogMessagesTest, MessageMayBeEmpty) {
  EXPECT_EQ(Shown(FrameOf(1, kTime) + FrameOf(1, kTime + "x")),
            "out(1795373469.765925175):|out(1795373469.765925175):x|");
}

TEST(LogMessagesTest, MessageWithoutATimeIsAnError) {
  for (const std::string payload : {"x", "hello world\n", "2026-11-22T18:51:09.765925175Z"}) {
    EXPECT_EQ(Shown(FrameOf(1, payload)), "error") << payload;
  }
}

TEST(LogMessagesTest, TimeWithoutAnEndIsNotGathered) {
  EXPECT_EQ(Shown(FrameOf(1, std::string(100000, '2')), 50), "error");
}

TEST(LogMessagesTest, LogThatEndsInsideAMessageIsCut) {
  const std::string raw = FrameOf(1, kTime + "ab");
  EXPECT_EQ(Shown(raw.substr(0, raw.size() - 1)), "out(1795373469.765925175):acut");
}

TEST(LogMessagesTest, EnginesOwnMessageIsAnError) {
  EXPECT_EQ(Shown(FrameOf(3, "Error grabbing logs")), "error");
}

}  // namespace
}  // namespace tidewaiter::docker
