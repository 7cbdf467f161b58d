#include "broker/docker/log_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::docker {
namespace {

using ::testing::HasSubstr;

std::string Frame(char type, const std::string& payload) {
  std::string frame{type, 0, 0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame += static_cast<char>((payload.size() >> static_cast<unsigned>(shift)) & 0xFFU);
  }
  return frame + payload;
}

struct Parsed {
  std::string out;
  std::string err;
  Result<void> result = Ok();
  Result<void> finish = Ok();
};

// Feeds `stream` in pieces of `step` bytes.
Parsed Parse(const std::string& stream, std::size_t step) {
  Parsed parsed;
  LogFrames frames;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    const std::string piece = stream.substr(at, step);
    parsed.result = frames.Feed(
        std::as_bytes(std::span(piece)), [&](run::OutputStream s, std::span<const std::byte> data) {
          EXPECT_FALSE(data.empty());
          std::string& to = s == run::OutputStream::kStdout ? parsed.out : parsed.err;
          for (const std::byte b : data) to += std::to_integer<char>(b);
        });
  }
  parsed.finish = frames.Finish();
  return parsed;
}

TEST(LogFramesTest, BothStreamsComeApartHoweverTheBytesAreCut) {
  const std::string stream =
      Frame(1, "one") + Frame(2, "error") + Frame(1, "") + Frame(0, "zero") + Frame(1, "two");
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    const Parsed parsed = Parse(stream, step);
    EXPECT_TRUE(parsed.result.has_value());
    EXPECT_TRUE(parsed.finish.has_value());
    EXPECT_EQ(parsed.out, "onezerotwo");
    EXPECT_EQ(parsed.err, "error");
  }
}

TEST(LogFramesTest, UnknownStreamTypeIsAnError) {
  const Parsed parsed = Parse(Frame(1, "a") + Frame(4, "b"), 64);
  ASSERT_FALSE(parsed.result.has_value());
  EXPECT_EQ(parsed.result.error().Reason(), "ENGINE_INVALID_ANSWER");
  EXPECT_EQ(parsed.out, "a");
}

TEST(LogFramesTest, PaddingThatIsNotZeroIsAnError) {
  EXPECT_FALSE(Parse(std::string("\x01\x01\0\0\0\0\0\x01z", 9), 64).result.has_value());
}

TEST(LogFramesTest, FrameThatClaimsFourGigabytesHandsOnWhatThereIs) {
  const Parsed parsed = Parse(std::string("\x01\0\0\0\xff\xff\xff\xffrest", 12), 5);
  EXPECT_TRUE(parsed.result.has_value());
  EXPECT_EQ(parsed.out, "rest");
}

TEST(LogFramesTest, EndInsideAFrameIsAnError) {
  EXPECT_FALSE(Parse(Frame(1, "abc").substr(0, 9), 64).finish.has_value());
}

TEST(LogFramesTest, EndInsideAHeaderIsAnError) {
  EXPECT_FALSE(Parse(Frame(1, "abc").substr(0, 3), 64).finish.has_value());
}

TEST(LogFramesTest, EnginesOwnErrorIsReportedEscaped) {
  const Parsed parsed = Parse(Frame(3, "driver\ngone"), 3);
  ASSERT_FALSE(parsed.result.has_value());
  EXPECT_EQ(parsed.result.error().Reason(), "ENGINE_ERROR");
  EXPECT_THAT(parsed.result.error().message, HasSubstr("driver\\x0agone"));
  EXPECT_EQ(parsed.out, "");
}

TEST(LogFramesTest, EndlessEngineErrorIsCut) {
  const Parsed parsed = Parse(Frame(3, std::string(100000, 'e')), 1000);
  ASSERT_FALSE(parsed.result.has_value());
  EXPECT_LT(parsed.result.error().message.size(), 700U);
}

TEST(LogFramesTest, NothingIsReadAfterAnError) {
  const Parsed parsed = Parse(Frame(9, "") + Frame(1, "late"), 8);
  EXPECT_FALSE(parsed.result.has_value());
  EXPECT_EQ(parsed.out, "");
}

}  // namespace
}  // namespace tidewaiter::docker
