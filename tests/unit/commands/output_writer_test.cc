#include "client/commands/output_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace tidewaiter::cli {
namespace {

class OutputWriterTest : public ::testing::Test {
 protected:
  OutputWriterTest() : abort_(::eventfd(0, EFD_CLOEXEC)) {
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> fds{};
    EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
    read_.Reset(fds[0]);
    write_.Reset(fds[1]);
  }

  void Abort() const {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(abort_.get(), &one, sizeof(one)), ssize_t{sizeof(one)});
  }

  UniqueFd abort_, read_, write_;
};

TEST_F(OutputWriterTest, WritesEveryByteAtTheReadersPace) {
  std::string sent(std::size_t{1} << 20, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 + i / 256);
  std::string got;
  std::thread reader([&] {
    std::array<char, 1000> bytes{};
    for (ssize_t n = 0; (n = ::read(read_.get(), bytes.data(), bytes.size())) > 0;) {
      got.append(bytes.data(), static_cast<std::size_t>(n));
    }
  });
  OutputWriter writer(write_.get(), abort_.get());
  EXPECT_TRUE(writer.Write(sent));
  write_.Reset();
  reader.join();
  EXPECT_TRUE(got == sent) << got.size();
}

TEST_F(OutputWriterTest, SaysThatTheReaderHasGone) {
  read_.Reset();
  OutputWriter writer(write_.get(), abort_.get());
  const auto written = writer.Write("x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().reason, "READER_GONE");
}

TEST_F(OutputWriterTest, GivesUpOnAReaderThatDoesNotRead) {
  OutputWriter writer(write_.get(), abort_.get());
  std::thread user([this] { Abort(); });
  // More than any pipe holds, so that without the abort this would wait for ever.
  const auto written = writer.Write(std::string(std::size_t{4} << 20, 'x'));
  user.join();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kCancelled);
}

TEST_F(OutputWriterTest, ReportsAFullDisk) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  OutputWriter writer(full.get(), abort_.get());
  const auto written = writer.Write("x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "write output: No space left on device");
}

}  // namespace
}  // namespace tidewaiter::cli
