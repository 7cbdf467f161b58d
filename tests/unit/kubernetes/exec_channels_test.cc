#include "broker/kubernetes/exec_channels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cluster_recordings.h"

namespace tidewaiter::kubernetes {
namespace {

using ::testing::HasSubstr;

class ExecChannelsTest : public ::testing::Test {
 protected:
  Result<void> Message(char channel, const std::string& text) {
    return channels_.Feed(std::string(1, channel) + text, true);
  }

  std::string stdout_;
  std::string stderr_;
  ExecChannels channels_{{.on_stdout = [this](std::string_view text) -> Result<void> {
                            stdout_ += text;
                            return Ok();
                          },
                          .on_stderr = [this](std::string_view text) { stderr_ += text; }}};
};

TEST_F(ExecChannelsTest, EachChannelIsItsOwn) {
  // One of nothing for each opens them (seen with 1.20).
  for (const char channel : {'\1', '\2', '\3'}) ASSERT_TRUE(Message(channel, "").has_value());
  ASSERT_TRUE(Message(1, "out").has_value());
  ASSERT_TRUE(Message(2, "err").has_value());
  ASSERT_TRUE(Message(1, "put").has_value());
  EXPECT_EQ(stdout_, "output");
  EXPECT_EQ(stderr_, "err");
  EXPECT_FALSE(channels_.end().has_value());
}

TEST_F(ExecChannelsTest, MessageMayComeInPieces) {
  ASSERT_TRUE(channels_.Feed("", true).has_value());
  ASSERT_TRUE(channels_.Feed("\1", false).has_value());
  ASSERT_TRUE(channels_.Feed("\2\3", false).has_value());
  ASSERT_TRUE(channels_.Feed("x", false).has_value());
  EXPECT_EQ(stdout_, "\2\3x");
  EXPECT_EQ(stderr_, "");
}

TEST_F(ExecChannelsTest, RecordedEndsAreRead) {
  ASSERT_TRUE(Message(3, kExecSuccess).has_value());
  ASSERT_TRUE(channels_.end().has_value());
  EXPECT_TRUE(channels_.end()->has_value());
}

TEST_F(ExecChannelsTest, RecordedFailureIsInTheClustersWords) {
  ASSERT_TRUE(Message(3, kExecFailure).has_value());
  ASSERT_TRUE(channels_.end().has_value());
  const Result<void> end = *channels_.end();
  ASSERT_FALSE(end.has_value());
  EXPECT_EQ(end.error().Reason(), "EXEC_FAILED");
  EXPECT_THAT(end.error().message, HasSubstr("exit status 3"));
}

TEST_F(ExecChannelsTest, StatusThatIsNotWholeIsNoEnd) {
  ASSERT_TRUE(Message(3, R"({"status":"Suc)").has_value());
  EXPECT_FALSE(channels_.end().has_value());
  ASSERT_TRUE(Message(3, R"(cess"})").has_value());
  EXPECT_TRUE(channels_.end()->has_value());
}

TEST_F(ExecChannelsTest, WhatIsNoSuchStreamIsRefused) {
  EXPECT_EQ(Message(0, "x").error().Reason(), "CLUSTER_INVALID_ANSWER");
  EXPECT_EQ(Message(4, "x").error().Reason(), "CLUSTER_INVALID_ANSWER");
  EXPECT_EQ(Message(3, std::string(70'000, 'x')).error().Reason(), "CLUSTER_INVALID_ANSWER");
}

TEST_F(ExecChannelsTest, WhoTakesItMayRefuse) {
  ExecChannels channels({.on_stdout = [](std::string_view) -> Result<void> {
                           return Fail(ErrorCode::kResourceExhausted, "full", "DISK_LOW");
                         },
                         .on_stderr = [](std::string_view) {}});
  EXPECT_EQ(channels.Feed("\1x", true).error().Reason(), "DISK_LOW");
}

}  // namespace
}  // namespace tidewaiter::kubernetes
