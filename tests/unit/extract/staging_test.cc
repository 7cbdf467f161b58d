// A destination gets everything or nothing.
#include "extract/staging.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "tests/support/scratch_folder.h"

namespace tidewaiter::extract {
namespace {
namespace fs = std::filesystem;

class StagingTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string dest() const { return folder_ / "dest"; }
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dest())) names.insert(entry.path().filename());
    return names;
  }
  static void Stage(const Staging& staging, const std::string& name) {
    const int fd = ::openat(staging.fd(), name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_GE(fd, 0);
    ::close(fd);
  }

  testing::ScratchFolder folder_;
};

TEST_F(StagingTest, WhatIsNotCommittedIsGone) {
  {
    auto staging = Staging::Open(dest());
    ASSERT_TRUE(staging);
    Stage(*staging, "a");
  }
  EXPECT_FALSE(fs::exists(dest()));
}

TEST_F(StagingTest, AnEmptyDestinationStays) {
  fs::create_directory(dest());
  {
    auto staging = Staging::Open(dest());
    ASSERT_TRUE(staging);
    Stage(*staging, "a");
  }
  EXPECT_TRUE(Names().empty());
}

TEST_F(StagingTest, WhatIsCommittedIsThere) {
  {
    auto staging = Staging::Open(dest());
    ASSERT_TRUE(staging);
    Stage(*staging, "a");
    ASSERT_TRUE(staging->Commit());
  }
  EXPECT_EQ(Names(), std::set<std::string>{"a"});
}

TEST_F(StagingTest, ADestinationThatIsNotEmptyIsLeftAlone) {
  fs::create_directory(dest());
  std::ofstream(dest() + "/mine") << "mine";
  const auto staging = Staging::Open(dest());
  ASSERT_FALSE(staging);
  EXPECT_EQ(staging.error().reason, "DESTINATION_NOT_EMPTY");
  EXPECT_EQ(Names(), std::set<std::string>{"mine"});
}

TEST_F(StagingTest, WhatSomebodyElsePutThereIsNotReplacedAndNothingElseArrives) {
  {
    auto staging = Staging::Open(dest());
    ASSERT_TRUE(staging);
    for (const char* const name : {"a", "b", "c", "d", "e", "f"}) Stage(*staging, name);
    std::ofstream(dest() + "/d") << "mine";
    EXPECT_FALSE(staging->Commit());
  }
  EXPECT_EQ(Names(), std::set<std::string>{"d"});
  EXPECT_EQ(fs::file_size(dest() + "/d"), 4U);
}

TEST_F(StagingTest, AUmaskDoesNotCloseIt) {
  fs::create_directory(dest());
  const mode_t before = ::umask(0777);
  const auto staging = Staging::Open(dest());
  ::umask(before);
  ASSERT_TRUE(staging);
  struct stat status {};
  ASSERT_EQ(::fstat(staging->fd(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0700U);
}

}  // namespace
}  // namespace tidewaiter::extract
