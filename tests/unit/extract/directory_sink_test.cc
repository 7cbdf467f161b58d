// Folders on the disk and their modes, which some get only when everything in them is there.
#include "extract/directory_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/unique_fd.h"
#include "extract/late_modes.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::extract {
namespace {

class DirectorySinkTest : public ::testing::Test {
 protected:
  DirectorySinkTest()
      : umask_(::umask(0)),
        directory_(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        sink_(directory_.get()) {}
  ~DirectorySinkTest() override { ::umask(umask_); }

  [[nodiscard]] unsigned ModeOf(const std::string& path) const {
    struct stat status {};
    EXPECT_EQ(::stat((folder_ / path).c_str(), &status), 0) << path;
    return status.st_mode & 07777U;
  }
  void AddFile(const std::string& path) {
    ASSERT_TRUE(sink_.BeginFile(path, 0644, 1) && sink_.Write("x") && sink_.EndFile());
  }

  const testing::ScratchFolder folder_;
  const mode_t umask_;
  const UniqueFd directory_;
  DirectorySink sink_;
};

TEST_F(DirectorySinkTest, AReadOnlyFolderIsFilledFirst) {
  ASSERT_TRUE(sink_.AddFolder("a", 0555));
  ASSERT_TRUE(sink_.AddFolder("a/b", 0500));
  AddFile("a/b/f");
  AddFile("a/f");
  ASSERT_TRUE(sink_.Finish());
  EXPECT_EQ(ModeOf("a"), 0555U);
  EXPECT_EQ(ModeOf("a/b"), 0500U);
  EXPECT_EQ(ModeOf("a/b/f"), 0644U);
}

TEST_F(DirectorySinkTest, OnlyReadOnlyFoldersAreLate) {
  ASSERT_TRUE(sink_.AddFolder("a", 0755));
  ASSERT_TRUE(sink_.AddFolder("a/b", 0511));
  ASSERT_TRUE(sink_.AddFolder("a/b/c", 0700));
  EXPECT_EQ(ModeOf("a"), 0755U);
  EXPECT_EQ(ModeOf("a/b/c"), 0700U);
  ASSERT_TRUE(sink_.Finish());
  EXPECT_EQ(ModeOf("a"), 0755U);
  EXPECT_EQ(ModeOf("a/b"), 0511U);
  EXPECT_EQ(ModeOf("a/b/c"), 0700U);
}

TEST_F(DirectorySinkTest, AFolderMayGetAnotherMode) {
  ASSERT_TRUE(sink_.AddFolder("writable", 0755));
  ASSERT_TRUE(sink_.AddFolder("closed", 0755));
  ASSERT_TRUE(sink_.SetFolderMode("writable", 0700));
  ASSERT_TRUE(sink_.SetFolderMode("closed", 0555));
  AddFile("closed/f");
  ASSERT_TRUE(sink_.Finish());
  EXPECT_EQ(ModeOf("writable"), 0700U);
  EXPECT_EQ(ModeOf("closed"), 0555U);
}

// More names than one call lists, below and beside one another.
TEST_F(DirectorySinkTest, ManyFoldersGetTheirModes) {
  for (int i = 0; i < 40; ++i) {
    const std::string path = std::string(100, 'n') + std::to_string(i);
    ASSERT_TRUE(sink_.AddFolder(path, 0555) && sink_.AddFolder(path + "/below", 0555));
  }
  ASSERT_TRUE(sink_.Finish());
  int late = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    late += (static_cast<unsigned>(entry.status().permissions()) & 07777U) != 0555U ? 1 : 0;
  }
  EXPECT_EQ(late, 0);
}

TEST_F(DirectorySinkTest, TheDirectoryIsWhereItWasInItsList) {
  ASSERT_TRUE(sink_.AddFolder("a", 0555));
  ASSERT_TRUE(sink_.Finish());
  EXPECT_EQ(::lseek(directory_.get(), 0, SEEK_CUR), 0);
}

// Somebody else's, who is quick enough.
TEST_F(DirectorySinkTest, ALinkToAFolderIsNotFollowed) {
  const testing::ScratchFolder outside;
  std::filesystem::create_directory(outside / "marked");
  ::chmod((outside / "marked").c_str(), ModeWhileFilled(0555));
  ASSERT_TRUE(sink_.AddFolder("a", 0555));
  std::filesystem::create_directory_symlink(outside.path(), folder_ / "a/link");
  ASSERT_TRUE(sink_.Finish());
  struct stat status {};
  ASSERT_EQ(::stat((outside / "marked").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, ModeWhileFilled(0555));
}

}  // namespace
}  // namespace tidewaiter::extract
