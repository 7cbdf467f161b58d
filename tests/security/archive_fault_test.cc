// What fails under an extraction: the worker is killed, the file system is full or read-only.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "base/unique_fd.h"
#include "extract/staging.h"
#include "extract/worker_process.h"
#include "tests/support/extraction.h"
#include "tests/support/required.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {

std::string ManyFiles(int count, std::size_t size) {
  TarBytes tar;
  for (int i = 0; i < count; ++i) {
    tar.File("d" + std::to_string(i % 7) + "/f" + std::to_string(i), std::string(size, 'x'));
  }
  return tar.Ended();
}

// A tmpfs with these options that is nowhere in the tree of mounts: it goes with its descriptor.
UniqueFd SmallFileSystem(const std::map<std::string, std::string>& options,
                         unsigned attributes = 0) {
  const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  for (const auto& [key, value] : options) {
    EXPECT_EQ(::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0), 0);
  }
  EXPECT_EQ(::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), 0);
  UniqueFd mounted(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
  EXPECT_TRUE(mounted.valid());
  return mounted;
}

std::string PathOf(const UniqueFd& folder) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(folder.get()) + "/.";
}

TEST(ArchiveFault, NoSpaceLeavesNothing) {
  TW_REQUIRE_ROOT();
  const UniqueFd small = SmallFileSystem({{"size", "1m"}});
  const Extraction extraction(PathOf(small));
  EXPECT_EQ(extraction.Refusal(ManyFiles(40, 100'000)), "write-failed");
  EXPECT_EQ(extraction.Refusal(ManyFiles(1, 4'000'000)), "write-failed");
  EXPECT_EQ(extraction.Run(ManyFiles(5, 100'000)).status, 0) << "it fits";
}

TEST(ArchiveFault, NoInodesLeaveNothing) {
  TW_REQUIRE_ROOT();
  const UniqueFd small = SmallFileSystem({{"nr_inodes", "60"}});
  const Extraction extraction(PathOf(small));
  EXPECT_EQ(extraction.Refusal(ManyFiles(100, 10)), "write-failed");
  EXPECT_EQ(extraction.Run(ManyFiles(20, 10)).status, 0) << "they fit";
}

TEST(ArchiveFault, AReadOnlyDestinationIsARefusal) {
  TW_REQUIRE_ROOT();
  const UniqueFd fixed = SmallFileSystem({}, MOUNT_ATTR_RDONLY);
  const UniqueFd directory(::open(PathOf(fixed).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const ScratchFolder scratch;
  std::ofstream(scratch / "archive") << ManyFiles(3, 10);
  const UniqueFd archive(::open((scratch / "archive").c_str(), O_RDONLY | O_CLOEXEC));
  auto worker = extract::WorkerProcess::Start(extract::WorkerBesideThisProgram(), archive.get(),
                                              directory.get(), {});
  ASSERT_TRUE(worker);
  const auto end = worker->Wait();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, extract::Code::kWrite);
}

// The bytes before the entry of that number, of files whose headers and content take two blocks.
constexpr int kEntries = 2000;
constexpr std::size_t kEntryBytes = 1024;

void FeedAndAwait(int pipe, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(pipe, bytes.data(), bytes.size());
    ASSERT_GT(written, 0);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (int unread = 1; unread != 0; std::this_thread::yield()) {
    ASSERT_EQ(::ioctl(pipe, FIONREAD, &unread), 0);
    ASSERT_LT(std::chrono::steady_clock::now(), until) << "the worker has stopped reading";
  }
}

TEST(ArchiveFault, AWorkerKilledAtAnyEntryLeavesOnlyTheStagingFolder) {
  ::signal(SIGPIPE, SIG_IGN);
  const std::string archive = ManyFiles(kEntries, 300);
  ASSERT_EQ(archive.size(), kEntries * kEntryBytes + 1024);
  bool something_was_there = false;
  for (std::size_t entry = 0; entry <= kEntries; entry += 100) {
    const Extraction scene;
    const auto outside = TreeOf(scene.outside());
    {
      auto staging = extract::Staging::Open(scene.destination());
      ASSERT_TRUE(staging);
      std::array<int, 2> ends{};
      ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
      UniqueFd from(ends[0]);
      const UniqueFd to(ends[1]);
      auto worker = extract::WorkerProcess::Start(extract::WorkerBesideThisProgram(), from.get(),
                                                  staging->fd(), {});
      ASSERT_TRUE(worker);
      ASSERT_NO_FATAL_FAILURE(
          FeedAndAwait(to.get(), std::string_view(archive).substr(0, entry * kEntryBytes)));
      std::stop_source stop;
      stop.request_stop();
      const auto end = worker->Wait(stop.get_token());
      ASSERT_FALSE(end) << "an archive without its end was accepted";
      EXPECT_EQ(end.error().code, extract::Code::kWorker);
      for (const auto& [path, what] : scene.Extracted()) {
        EXPECT_TRUE(path.starts_with(".tidewaiter-extract")) << path;
        something_was_there |= path.ends_with("/f0");
      }
    }
    EXPECT_FALSE(std::filesystem::exists(scene.destination())) << "killed at entry " << entry;
    EXPECT_EQ(TreeOf(scene.outside()), outside);
  }
  EXPECT_TRUE(something_was_there) << "every worker was killed before it wrote anything";
}

// A pipe that is full and that nobody reads: a worker that waited for it would never end.
TEST(ArchiveFault, AReportThatNobodyReadsDoesNotStopTheWorker) {
  ::signal(SIGPIPE, SIG_IGN);
  const ScratchFolder scratch;
  const UniqueFd directory(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::array<int, 2> report{};
  std::array<int, 2> input{};
  ASSERT_EQ(::pipe2(report.data(), O_NONBLOCK), 0);
  ASSERT_EQ(::pipe(input.data()), 0);
  while (::write(report[1], "x", 1) == 1) {
  }
  ASSERT_EQ(::fcntl(report[1], F_SETFL, 0), 0);
  const std::string program = extract::WorkerBesideThisProgram();
  const pid_t child = ::fork();
  if (child == 0) {
    // Out of the way first: the numbers may be taken by what is to be moved.
    const int from = ::fcntl(input[0], F_DUPFD, 20);
    const int into = ::fcntl(directory.get(), F_DUPFD, 20);
    const int say = ::fcntl(report[1], F_DUPFD, 20);
    ::dup2(from, 0);
    ::dup2(into, 3);
    ::dup2(say, 4);
    ::execl(program.c_str(), program.c_str(), "99999999", "100000", "64", "1024", "1000", nullptr);
    ::_exit(127);
  }
  ::close(input[0]);
  const UniqueFd to(input[1]);
  // For longer than two of the worker's intervals between what it says.
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  int count = 0;
  for (; count < 1000 || std::chrono::steady_clock::now() < until; ++count) {
    ASSERT_NO_FATAL_FAILURE(FeedAndAwait(to.get(), TarBytes().File(std::to_string(count)).bytes()));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(report[0]);
  ::close(report[1]);
  EXPECT_TRUE(std::filesystem::exists(scratch / "0"));
}

}  // namespace
}  // namespace tidewaiter::testing
