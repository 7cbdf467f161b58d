// What the worker takes of memory, whatever it reads.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/unique_fd.h"
#include "extract/worker_process.h"
#include "tests/support/extraction.h"
#include "tests/support/required.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {

constexpr long kMostKib = 32 * 1024;

// The most that the only child of this process has had resident, in KiB.
long PeakOfChild() {
  std::ifstream children(fmt::format("/proc/self/task/{}/children", ::gettid()));
  int child = 0;
  children >> child;
  std::ifstream status(fmt::format("/proc/{}/status", child));
  for (std::string word; status >> word;) {
    long kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib;
  }
  ADD_FAILURE() << "no child to measure";
  return 0;
}

class ArchiveMemory : public ::testing::Test {
 protected:
  // Many files: in memory, and nowhere in the tree of mounts.
  void SetUp() override {
    TW_REQUIRE_ROOT();
    ::signal(SIGPIPE, SIG_IGN);
    const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
    ASSERT_EQ(::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), 0);
    const UniqueFd mounted(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
    directory_ = UniqueFd(::openat(mounted.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(directory_);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    UniqueFd from(ends[0]);
    to_ = UniqueFd(ends[1]);
    extract::Limits limits;
    limits.max_ratio = UINT64_MAX;
    auto worker = extract::WorkerProcess::Start(extract::WorkerBesideThisProgram(), from.get(),
                                                directory_.get(), limits);
    ASSERT_TRUE(worker);
    worker_.emplace(*std::move(worker));
  }

  // False where nobody reads any more.
  bool Feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(to_.get(), bytes.data(), bytes.size());
      if (written <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }
  // The worker has read everything that was fed, and waits for more.
  long PeakSoFar() {
    for (int unread = 1; unread != 0; std::this_thread::yield()) {
      EXPECT_EQ(::ioctl(to_.get(), FIONREAD, &unread), 0);
    }
    return PeakOfChild();
  }
  std::string End(std::string_view rest) {
    Feed(rest);
    to_.Reset();
    const auto end = worker_->Wait();
    return end ? "accepted" : std::string(extract::ToString(end.error().code));
  }

  UniqueFd directory_;
  UniqueFd to_;
  std::optional<extract::WorkerProcess> worker_;
};

TEST_F(ArchiveMemory, AHundredThousandLongPaths) {
  const std::string folder = fmt::format("{0:a>250}/{0:b>250}/{0:c>250}/", "");
  for (int i = 0; i < 99'997; ++i) {
    const std::string path = folder + fmt::format("{:0>240}", i);
    if (!Feed(TarBytes().Pax({{"path", path}}).File("x", "").bytes())) break;
  }
  EXPECT_LE(PeakSoFar(), kMostKib);
  EXPECT_EQ(End(TarBytes().Ended()), "accepted");
}

TEST_F(ArchiveMemory, FoldersAsDeepAsTheyMayBe) {
  for (int i = 0; i < 1500; ++i) {
    std::string path = std::to_string(i);
    for (int depth = 2; depth < 64; ++depth) path += "/d";
    if (!Feed(TarBytes().Pax({{"path", path + "/f"}}).File("x").bytes())) break;
  }
  EXPECT_LE(PeakSoFar(), kMostKib);
  EXPECT_EQ(End(TarBytes().Ended()), "accepted");
}

TEST_F(ArchiveMemory, AHundredThousandReadOnlyFoldersOfLongNames) {
  for (int i = 0; i < 100'000; ++i) {
    const std::string path = fmt::format("{:0>255}", i);
    if (!Feed(TarBytes()
                  .Pax({{"path", path}})
                  .Add({.name = "x", .type = '5', .mode = "0000555"})
                  .bytes())) {
      break;
    }
  }
  EXPECT_LE(PeakSoFar(), kMostKib);
  EXPECT_EQ(End(TarBytes().Ended()), "accepted");
}

// Repeats itself further back than any window, so that a decoder fills all of its own.
std::string Content(int blocks) {
  std::minstd_rand random;
  std::string block(1 << 20U, '\0');
  for (char& c : block) c = static_cast<char>(random());
  std::string content;
  for (int i = 0; i < blocks; ++i) content += block;
  return content;
}

class ArchiveMemoryOf : public ArchiveMemory,
                        public ::testing::WithParamInterface<std::pair<const char*, const char*>> {
};

TEST_P(ArchiveMemoryOf, WhatIsCompressed) {
  const auto& [filter, options] = GetParam();
  const int blocks = std::string_view(filter) == "bzip2" ? 3 : 20;  // 3 times its window
  const std::string archive =
      Compressed(TarBytes().File("big", Content(blocks)).Ended(), filter, options);
  const bool fed = Feed(std::string_view(archive).substr(0, archive.size() - 8));
  ASSERT_TRUE(fed);
  EXPECT_LE(PeakSoFar(), kMostKib);
  EXPECT_EQ(End(std::string_view(archive).substr(archive.size() - 8)), "accepted");
}

INSTANTIATE_TEST_SUITE_P(
    ArchiveMemory, ArchiveMemoryOf,
    ::testing::Values(std::pair{"gzip", ""}, std::pair{"bzip2", "bzip2:compression-level=9"},
                      std::pair{"xz", "xz:compression-level=7"},        // a window of 16 MiB
                      std::pair{"zstd", "zstd:compression-level=16"}),  // of 4 MiB
    [](const auto& what) { return std::string(what.param.first); });

TEST_F(ArchiveMemory, AWindowThatIsTooLargeIsRefused) {
  Feed(Compressed(TarBytes().File("a").Ended(), "xz", "xz:compression-level=9"));  // 64 MiB
  EXPECT_EQ(End(""), "memory");
}

}  // namespace
}  // namespace tidewaiter::testing
