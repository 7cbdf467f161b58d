#include "broker/kubernetes/log_reading.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <string>

#include "broker/run/log_prefix.h"
#include "tests/unit/kubernetes/watch_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

std::string DigestOf(const std::string& text) {
  run::LogPrefix prefix;
  prefix.Add(text);
  return prefix.Digest();
}

class LogReadingTest : public ClusterTest {
 protected:
  // One reading of a log that is `text` by now, with a line's end.
  Result<bool> Read(const std::string& text) {
    cluster_.Say("log", text);
    cluster_.Cut("log");
    return ReadLogFrom(
        api_, "tw-r", position_,
        [this](run::OutputStream stream, std::span<const std::byte> data) {
          EXPECT_EQ(stream, run::OutputStream::kStdout);
          taken_.append(reinterpret_cast<const char*>(data.data()), data.size());
          return wants_more_;
        },
        Soon());
  }
  void Have(const std::string& text) {
    position_ = {.stdout_bytes = text.size(), .stdout_digest = DigestOf(text)};
  }
  static std::string ReasonOf(const Result<bool>& read) {
    return read ? "" : std::string(read.error().Reason());
  }

  run::LogPosition position_;
  std::string taken_;
  bool wants_more_ = true;
};

TEST_F(LogReadingTest, GoesOnWhereTheCopyEnds) {
  Have("one\nt");
  ASSERT_TRUE(Read("one\ntwo").has_value());
  EXPECT_EQ(taken_, "wo\n");
  EXPECT_EQ(position_.stdout_bytes, 8U);
  EXPECT_EQ(position_.stdout_digest, DigestOf("one\ntwo\n"));
  ASSERT_TRUE(Read("one\ntwo\nthree").has_value());
  EXPECT_EQ(taken_, "wo\nthree\n");
}

TEST_F(LogReadingTest, AnotherLogOfTheSameLengthOrMoreIsIncompleteNowAndLater) {
  Have("one\n");
  for (const char* const other : {"six\nseven", "six", "two\nthree"}) {
    EXPECT_EQ(ReasonOf(Read(other)), "LOG_INCOMPLETE") << other;
    EXPECT_EQ(taken_, "");
    EXPECT_EQ(position_.stdout_bytes, 4U);
  }
}

TEST_F(LogReadingTest, ShorterLogIsIncomplete) {
  Have("one\ntwo\n");
  EXPECT_EQ(ReasonOf(Read("one")), "LOG_INCOMPLETE");
  EXPECT_EQ(position_.stdout_digest, DigestOf("one\ntwo\n"));
}

TEST_F(LogReadingTest, CopyOfWhichTheLengthAloneIsKnownIsTakenUpByIt) {
  position_.stdout_bytes = 4;
  ASSERT_TRUE(Read("six\nseven").has_value());
  EXPECT_EQ(taken_, "seven\n");
  EXPECT_EQ(position_.stdout_digest, DigestOf("six\nseven\n"));
  // From here on it is known.
  EXPECT_EQ(ReasonOf(Read("one\ntwo and more")), "LOG_INCOMPLETE");
}

TEST_F(LogReadingTest, WhoeverHasEnoughGoesOnThereLater) {
  wants_more_ = false;
  const auto read = Read("one");
  ASSERT_TRUE(read.has_value());
  EXPECT_FALSE(*read);
  EXPECT_EQ(position_.stdout_digest, DigestOf("one\n"));
  wants_more_ = true;
  ASSERT_TRUE(Read("one\ntwo").has_value());
  EXPECT_EQ(taken_, "one\ntwo\n");
}

}  // namespace
}  // namespace tidewaiter::kubernetes
