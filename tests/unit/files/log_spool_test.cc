#include "broker/files/log_spool.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <fstream>
#include <span>
#include <sstream>
#include <string>

#include "tests/support/broker_process.h"
#include "tests/support/fake_trace.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::files {
namespace {

using run::OutputStream;

class LogSpoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<run::RunLog> Open(const std::string& path, std::uint64_t max_bytes = 1 << 20) {
    UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_TRUE(file);
    return spool_.Open(std::move(file), max_bytes,
                       [this](std::uint64_t size) { growth_.Add(std::to_string(size)); });
  }
  static bool Write(run::RunLog& log, OutputStream stream, std::string_view text) {
    return log.Write(stream, std::as_bytes(std::span(text)));
  }
  static std::string Frame(char stream, const std::string& text) {
    std::string frame(8, '\0');
    frame[0] = stream;
    for (std::size_t i = 0; i < 4; ++i) {
      frame[4 + i] = static_cast<char>(text.size() >> (24 - 8 * i));
    }
    return frame + text;
  }
  std::string Content() const {
    std::ostringstream text;
    text << std::ifstream(path_, std::ios::binary).rdbuf();
    return text.str();
  }
  static Deadline Soon() { return Deadline::After(std::chrono::seconds(20)); }

  testing::ScratchFolder folder_;
  const std::string path_ = folder_ / "log";
  testing::FakeTrace growth_;
  LogSpool spool_;
};

TEST_F(LogSpoolTest, WritesPiecesInTheirOrderWithTheirStreams) {
  const auto log = Open(path_);
  EXPECT_TRUE(Write(*log, OutputStream::kStdout, "out"));
  ASSERT_TRUE(log->Flush(Soon()));
  EXPECT_TRUE(Write(*log, OutputStream::kStderr, std::string(300, 'e')));
  ASSERT_TRUE(log->Flush(Soon()));
  EXPECT_EQ(Content(), Frame(1, "out") + Frame(2, std::string(300, 'e')));
  EXPECT_TRUE(growth_.WaitFor("319"));
}

// Else a job that prints bytes one by one has a log of nine times what it printed.
TEST_F(LogSpoolTest, PiecesOfOneStreamThatWaitTogetherBecomeOne) {
  const auto log = Open(path_);
  for (int i = 0; i < 50'000; ++i) Write(*log, OutputStream::kStdout, "x");
  ASSERT_TRUE(log->Flush(Soon()));
  EXPECT_LT(Content().size(), 50'000U * 3);
}

TEST_F(LogSpoolTest, WhatIsWrittenIsToldOnceItCanBeRead) {
  const auto log = Open(path_);
  Write(*log, OutputStream::kStdout, "abc");
  ASSERT_TRUE(growth_.WaitFor("11"));
  EXPECT_EQ(Content().size(), 11U);
}

// A pipe that nobody reads is a disk that hangs.
TEST_F(LogSpoolTest, AProducerThatIsTooFastWaitsUntilThereIsRoom) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const UniqueFd reader(pipe[0]);
  auto log = spool_.Open(UniqueFd(pipe[1]), std::uint64_t{1} << 30U, {});
  testing::FakeTrace resumed;
  log->SetResume([&resumed] { resumed.Add("resume"); });
  const std::string piece(64 * 1024, 'x');
  int pieces = 1;
  while (pieces < 100 && Write(*log, OutputStream::kStdout, piece)) ++pieces;
  EXPECT_LT(pieces, 100);
  EXPECT_FALSE(log->Flush(Deadline::After(std::chrono::milliseconds(10))));
  ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  std::string sink(1 << 20, '\0');
  while (!log->Flush(Deadline::After(std::chrono::milliseconds(5)))) {
    while (::read(reader.get(), sink.data(), sink.size()) > 0) {
    }
  }
  EXPECT_TRUE(resumed.WaitFor("resume"));
}

TEST_F(LogSpoolTest, AFailureIsToldAndHoldsNobodyUp) {
  const auto log = Open("/dev/full");
  Write(*log, OutputStream::kStdout, "abc");
  const auto flushed = log->Flush(Soon());
  ASSERT_FALSE(flushed);
  EXPECT_NE(flushed.error().message.find("No space left"), std::string::npos);
  EXPECT_TRUE(Write(*log, OutputStream::kStdout, std::string(2 << 20, 'x')));
}

TEST_F(LogSpoolTest, OneThatIsGoneTellsNothingMore) {
  auto log = Open(path_);
  Write(*log, OutputStream::kStdout, "abc");
  log.reset();
  const std::size_t told = growth_.All().size();
  const auto other = Open(folder_ / "other");
  Write(*other, OutputStream::kStdout, "abcd");
  ASSERT_TRUE(growth_.WaitFor("12"));
  EXPECT_EQ(growth_.All().size(), told + 1);
}

// Single bytes of both streams in turn take nine times their size.
TEST_F(LogSpoolTest, AFileIsBoundedHoweverItsOutputIsDivided) {
  constexpr std::uint64_t kMaxBytes = 1000;
  auto log = Open(path_, kMaxBytes);
  for (int i = 0; i < 50'000; ++i) {
    Write(*log, i % 2 == 0 ? OutputStream::kStdout : OutputStream::kStderr, "x");
  }
  const auto flushed = log->Flush(Deadline::After(testing::kPatience));
  ASSERT_FALSE(flushed.has_value());
  EXPECT_EQ(flushed.error().Reason(), "LOG_LIMIT");
  EXPECT_LE(Content().size(), LogSpool::MaxFileBytes(kMaxBytes));
  EXPECT_EQ(Content().size() / 9 + static_cast<std::size_t>(log->dropped()), 50'000U);
}

// What was there before counts against its bound and in what is told.
TEST_F(LogSpoolTest, OneThatGoesOnBeginsWhereItEnded) {
  constexpr std::uint64_t kMaxBytes = 1000;
  const std::uint64_t most = LogSpool::MaxFileBytes(kMaxBytes);
  UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const auto log = spool_.Open(
      std::move(file), kMaxBytes, [this](std::uint64_t size) { growth_.Add(std::to_string(size)); },
      most - 20);
  EXPECT_TRUE(Write(*log, OutputStream::kStdout, "x"));
  ASSERT_TRUE(log->Flush(Soon()));
  EXPECT_TRUE(growth_.WaitFor(std::to_string(most - 11)));
  EXPECT_TRUE(Write(*log, OutputStream::kStdout, "12345"));
  const auto flushed = log->Flush(Soon());
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().Reason(), "LOG_LIMIT");
  EXPECT_EQ(log->dropped(), 5);
}

}  // namespace
}  // namespace tidewaiter::files
