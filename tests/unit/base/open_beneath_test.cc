// What a hostile tree holds in the place of a file.
#include "base/open_beneath.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/support/scratch_folder.h"

namespace tidewaiter {
namespace {

class OpenBeneathTest : public ::testing::Test {
 protected:
  OpenBeneathTest() : fd_(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    std::ofstream(folder_ / "file") << "x";
  }
  // 0 where it opened.
  int Try(const char* path, std::uint64_t flags = O_RDONLY) {
    return OpenBeneath(fd_.get(), path, flags) ? 0 : errno;
  }

  testing::ScratchFolder folder_;
  UniqueFd fd_;
};

TEST_F(OpenBeneathTest, OpensAFile) {
  EXPECT_EQ(Try("file"), 0);
}

TEST_F(OpenBeneathTest, FollowsNoLinkNeitherAtTheEndNorOnTheWay) {
  std::filesystem::create_symlink("file", folder_ / "link");
  std::filesystem::create_directory_symlink(".", folder_ / "here");
  EXPECT_EQ(Try("link"), ELOOP);
  EXPECT_EQ(Try("here/file"), ELOOP);
}

TEST_F(OpenBeneathTest, ClimbsOutByNoPath) {
  EXPECT_EQ(Try("../x"), EXDEV);
  EXPECT_EQ(Try("/etc/passwd"), EXDEV);
}

TEST_F(OpenBeneathTest, WaitsForNobodyAtAFifo) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(Try("fifo"), 0);
  EXPECT_EQ(Try("fifo", O_WRONLY), ENXIO);
}

TEST_F(OpenBeneathTest, WaitsForNobodysLease) {
  const UniqueFd holder(::open((folder_ / "file").c_str(), O_RDWR | O_CLOEXEC));
  // The holder is asked by a signal to give it up.
  const auto before = ::signal(SIGIO, SIG_IGN);
  ASSERT_EQ(::fcntl(holder.get(), F_SETLEASE, F_WRLCK), 0);
  EXPECT_EQ(Try("file"), EAGAIN);
  ::fcntl(holder.get(), F_SETLEASE, F_UNLCK);
  EXPECT_EQ(Try("file"), 0);
  ::signal(SIGIO, before);
}

}  // namespace
}  // namespace tidewaiter
