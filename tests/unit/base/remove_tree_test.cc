// Trees that nobody should have to remove.
#include "base/remove_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/unique_fd.h"
#include "tests/support/no_setid.h"
#include "tests/support/only_chown.h"
#include "tests/support/required.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter {
namespace {

namespace fs = std::filesystem;

class RemoveTreeTest : public ::testing::Test {
 protected:
  RemoveTreeTest() : tree_(folder_ / "tree") { fs::create_directory(tree_); }

  Result<void> Remove(const RemoveOptions& options = {}) {
    const UniqueFd parent(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return RemoveTree(parent.get(), "tree", options);
  }
  bool Exists() { return fs::exists(fs::symlink_status(tree_)); }

  void MakeDeep(int levels, int width = 1) {
    UniqueFd here(::open(tree_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < levels; ++i) {
      for (int j = 1; j < width; ++j) ::mkdirat(here.get(), std::to_string(j).c_str(), 0700);
      ::mkdirat(here.get(), "d", 0700);
      here = UniqueFd(::openat(here.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      ASSERT_TRUE(here.valid()) << i;
    }
    const UniqueFd file(::openat(here.get(), "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_TRUE(file.valid());
  }

  testing::ScratchFolder folder_;
  const std::string tree_;
};

TEST_F(RemoveTreeTest, WhatIsNotThereIsGone) {
  fs::remove(tree_);
  EXPECT_TRUE(Remove());
}

TEST_F(RemoveTreeTest, FilesFoldersFifosAndOddNamesGo) {
  fs::create_directories(tree_ + "/a/b/c");
  for (const std::string name : {"/a/f", "/a/b/ ", "/a/b/\n\xff", "/-rf", "/a/b/c/moved-0"}) {
    std::ofstream(tree_ + name) << "x";
  }
  ASSERT_EQ(::mkfifo((tree_ + "/a/fifo").c_str(), 0), 0);
  const auto removed = Remove();
  EXPECT_TRUE(removed) << removed.error().message;
  EXPECT_FALSE(Exists());
}

TEST_F(RemoveTreeTest, LinksGoAndWhatTheyNameStays) {
  fs::create_directory(folder_ / "kept");
  std::ofstream(folder_ / "kept/file") << "x";
  fs::create_directory_symlink(folder_ / "kept", tree_ + "/link");
  EXPECT_TRUE(Remove());
  EXPECT_FALSE(Exists());
  EXPECT_TRUE(fs::exists(folder_ / "kept/file"));
}

TEST_F(RemoveTreeTest, ALinkInItsPlaceGoesAndWhatItNamesStays) {
  fs::create_directory(folder_ / "kept");
  std::ofstream(folder_ / "kept/file") << "x";
  fs::remove(tree_);
  fs::create_directory_symlink(folder_ / "kept", tree_);
  EXPECT_TRUE(Remove());
  EXPECT_FALSE(Exists());
  EXPECT_TRUE(fs::exists(folder_ / "kept/file"));
}

TEST_F(RemoveTreeTest, ThreeThousandLevelsGoWithFewDescriptors) {
  MakeDeep(3000);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few{.rlim_cur = 64, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  const auto removed = Remove();
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(removed) << removed.error().message;
  EXPECT_FALSE(Exists());
}

TEST_F(RemoveTreeTest, ATreeBothDeepAndWideGoes) {
  // The names that what is moved up would get, some of which are read after the deep one.
  for (int i = 0; i < 50; i += 2) std::ofstream(tree_ + "/moved-" + std::to_string(i)) << "x";
  MakeDeep(100, 10);
  for (int i = 1; i < 50; i += 2) std::ofstream(tree_ + "/moved-" + std::to_string(i)) << "x";
  EXPECT_TRUE(Remove());
  EXPECT_FALSE(Exists());
}

TEST_F(RemoveTreeTest, PastTheDeadlineItStopsAndTheNextCallGoesOn) {
  MakeDeep(100);
  const auto stopped = Remove({.deadline = Deadline::After({}), .reclaim = false});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(Exists());
  EXPECT_TRUE(Remove());
  EXPECT_FALSE(Exists());
}

TEST_F(RemoveTreeTest, AMountIsNotCrossedButNamed) {
  TW_REQUIRE_ROOT();
  fs::create_directory(tree_ + "/mounted");
  if (::mount("tmpfs", (tree_ + "/mounted").c_str(), "tmpfs", 0, "size=64k") != 0) {
    TW_REFUSED_TO_ROOT("may not mount");
  }
  std::ofstream(tree_ + "/mounted/kept") << "x";
  const auto removed = Remove();
  EXPECT_TRUE(fs::exists(tree_ + "/mounted/kept"));
  ::umount((tree_ + "/mounted").c_str());
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().message,
            "remove the folder 'mounted': another file system is mounted there");
  EXPECT_TRUE(Remove());
}

// A closed tree of one user in a folder of another, who may change owners and nothing else.
class ForeignTreeTest : public RemoveTreeTest {
 protected:
  void SetUp() override {
    TW_REQUIRE_ROOT();
    MakeDeep(60);
    fs::create_directories(tree_ + "/closed/in");
    std::ofstream(tree_ + "/closed/in/file") << "x";
    for (auto it = fs::recursive_directory_iterator(tree_);
         it != fs::recursive_directory_iterator(); ++it) {
      ASSERT_EQ(::lchown(it->path().c_str(), 65534, 65534), 0);
      ASSERT_EQ(::chmod(it->path().c_str(), 0), 0);
    }
    ASSERT_EQ(::lchown(tree_.c_str(), 65534, 65534), 0);
    // One more way to close it: it can be listed, and nothing in it reached.
    ASSERT_EQ(::chmod((tree_ + "/closed").c_str(), 0744), 0);
    ASSERT_EQ(::chown(folder_.path().c_str(), testing::kOnlyChownUser, 0), 0);
  }
};

TEST_F(ForeignTreeTest, GoesWhereItMayBeTakenOver) {
  EXPECT_TRUE(testing::WithOnlyChown(
      [&] { return Remove({.deadline = Deadline::Never(), .reclaim = true}).has_value(); }));
  EXPECT_FALSE(Exists());
}

// As the service manager confines the broker: a setgid bit that is handed back would be refused.
TEST_F(ForeignTreeTest, SetIdBitsDoNotKeepItWhereNobodyMaySetThem) {
  for (const char* path : {"/closed/in", "/closed"}) {
    ASSERT_EQ(::chmod((tree_ + path).c_str(), 06000), 0);
  }
  EXPECT_TRUE(testing::WithOnlyChown([&] {
    return testing::ForbidSetId() &&
           Remove({.deadline = Deadline::Never(), .reclaim = true}).has_value();
  }));
  EXPECT_FALSE(Exists());
}

TEST_F(ForeignTreeTest, StaysWhereNothingIsTakenOver) {
  EXPECT_TRUE(testing::WithOnlyChown([&] { return !Remove(); }));
  EXPECT_TRUE(Exists());
}

TEST_F(RemoveTreeTest, FoldersThatTheirOwnerClosedGoWithoutAnyRight) {
  TW_REQUIRE_ROOT();
  fs::create_directories(tree_ + "/a/b");
  std::ofstream(tree_ + "/a/b/f") << "x";
  for (const char* path : {"/a/b", "/a", ""}) {
    ASSERT_EQ(::chown((tree_ + path).c_str(), testing::kOnlyChownUser, 0), 0);
    ASSERT_EQ(::chmod((tree_ + path).c_str(), 0), 0);
  }
  ASSERT_EQ(::chown(folder_.path().c_str(), testing::kOnlyChownUser, 0), 0);
  EXPECT_TRUE(testing::WithOnlyChown([&] { return Remove().has_value(); }, false));
  EXPECT_FALSE(Exists());
}

}  // namespace
}  // namespace tidewaiter
