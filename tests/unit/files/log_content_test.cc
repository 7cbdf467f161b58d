// How much of a log is whole, of whatever a crash has left of it.
#include "broker/files/log_content.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/unique_fd.h"
#include "broker/run/log_prefix.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::files {
namespace {

std::string Frame(char stream, const std::string& text) {
  std::string frame(8, '\0');
  frame[0] = stream;
  for (std::size_t i = 0; i < 4; ++i) {
    frame[4 + i] = static_cast<char>(text.size() >> (24 - 8 * i));
  }
  return frame + text;
}

class LogContentTest : public ::testing::Test {
 protected:
  LogContent Measure(const std::string& bytes) {
    const std::string path = folder_ / "log";
    std::ofstream(path, std::ios::binary) << bytes;
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    auto content = MeasureLog(file.get(), true);
    EXPECT_TRUE(content.has_value());
    return content ? *std::move(content) : LogContent();
  }

  testing::ScratchFolder folder_;
};

TEST_F(LogContentTest, EachStreamHasItsOwnBytes) {
  const std::string bytes = Frame(1, "out") + Frame(2, "error") + Frame(1, "more");
  const LogContent content = Measure(bytes);
  EXPECT_EQ(content.size, bytes.size());
  EXPECT_EQ(content.has.stdout_bytes, 7U);
  EXPECT_EQ(content.has.stderr_bytes, 5U);
  run::LogPrefix prefix;
  prefix.Add("outmore");
  EXPECT_EQ(content.has.stdout_digest, prefix.Digest());
}

TEST_F(LogContentTest, AnEmptyLogHasNothing) {
  EXPECT_EQ(Measure("").size, 0U);
}

TEST_F(LogContentTest, AFrameThatACrashHasCutCountsNotAtAll) {
  const std::string whole = Frame(1, "out");
  const std::string cut = Frame(2, "error");
  for (std::size_t left = 1; left < cut.size(); ++left) {
    const LogContent content = Measure(whole + cut.substr(0, left));
    EXPECT_EQ(content.size, whole.size()) << left;
    EXPECT_EQ(content.has.stderr_bytes, 0U) << left;
  }
}

// As a file system leaves it that had made the file longer and not written it.
TEST_F(LogContentTest, WhatIsNoFrameEndsIt) {
  const std::string whole = Frame(1, "out");
  EXPECT_EQ(Measure(whole + std::string(100, '\0')).size, whole.size());
  EXPECT_EQ(Measure(whole + Frame(3, "x")).size, whole.size());
  EXPECT_EQ(Measure(whole + std::string("\1\0\1\0\0\0\0\1x", 9)).size, whole.size());
}

// Wherever the blocks in which it is read begin and end.
TEST_F(LogContentTest, AFrameMayLieAcrossTheBlocksInWhichItIsRead) {
  for (const std::size_t first : {65'519U, 65'520U, 65'523U, 65'527U, 65'528U, 65'536U, 200'000U}) {
    const std::string bytes =
        Frame(1, std::string(first, 'x')) + Frame(2, "error") + Frame(1, "more");
    const LogContent content = Measure(bytes);
    EXPECT_EQ(content.size, bytes.size()) << first;
    EXPECT_EQ(content.has.stdout_bytes, first + 4) << first;
    EXPECT_EQ(content.has.stderr_bytes, 5U) << first;
  }
}

}  // namespace
}  // namespace tidewaiter::files
