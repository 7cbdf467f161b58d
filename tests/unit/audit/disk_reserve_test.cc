#include "audit/disk_reserve.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "tests/support/required.h"
#include "tests/unit/audit/faulty_files.h"
#include "tests/unit/audit/scratch_folder.h"
#include "tests/unit/audit/small_disk.h"

namespace tidewaiter::audit {
namespace {

constexpr std::uint64_t kReserve = std::uint64_t{64} << 10U;

class DiskReserveTest : public ::testing::Test {
 protected:
  bool Keep(std::uint64_t end) { return reserve_.Keep(file_.get(), end, kReserve).has_value(); }
  struct stat Status() const {
    struct stat status {};
    EXPECT_EQ(::fstat(file_.get(), &status), 0);
    return status;
  }
  std::uint64_t Allocated() const { return 512 * static_cast<std::uint64_t>(Status().st_blocks); }

  ScratchFolder folder_;
  UniqueFd file_{::open(folder_.File("file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  FaultyFiles files_;
  DiskReserve reserve_{files_};
};

TEST_F(DiskReserveTest, IsDiskThatTheFileHasAndItsReadersDoNotSee) {
  ASSERT_EQ(::write(file_.get(), "line\n", 5), 5);
  ASSERT_TRUE(Keep(5));
  EXPECT_EQ(Status().st_size, 5);
  EXPECT_GE(Allocated(), 5 + kReserve);
}

TEST_F(DiskReserveTest, IsMadeInSteps) {
  ASSERT_TRUE(Keep(0));
  ASSERT_TRUE(Keep(kReserve / 4));
  EXPECT_EQ(files_.allocations, 1);
  ASSERT_TRUE(Keep(kReserve / 4 + 1));
  EXPECT_EQ(files_.allocations, 2);
  EXPECT_GE(Allocated(), kReserve + kReserve / 4 + 1);
}

TEST_F(DiskReserveTest, IsMadeAnewOnceItWasDropped) {
  ASSERT_TRUE(Keep(0));
  ASSERT_EQ(::ftruncate(file_.get(), 0), 0);
  ASSERT_EQ(Allocated(), 0U);
  reserve_.Drop();
  ASSERT_TRUE(Keep(0));
  EXPECT_GE(Allocated(), kReserve);
}

TEST_F(DiskReserveTest, ADiskThatHasItButNotTheNextStepIsEnough) {
  files_.allocate_limit = kReserve;
  EXPECT_TRUE(Keep(0));
  EXPECT_GE(Allocated(), kReserve);
}

TEST_F(DiskReserveTest, WhatThereIsOfTooLittleIsTaken) {
  files_.allocate_limit = kReserve / 3;
  EXPECT_FALSE(Keep(0));
  EXPECT_GE(Allocated(), kReserve / 4);
}

// Checkpoints are files of their own.
TEST(DiskReserveMargin, TheLastMebibyteIsLeftAlone) {
  TW_REQUIRE_ROOT();
  const ScratchFolder folder;
  SmallDisk disk;
  if (!disk.MountMemory(folder.path())) {
    TW_REFUSED_TO_ROOT("may not mount");
  }
  const UniqueFd file(::open(folder.File("file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  DiskReserve reserve(FileOperations::System());
  EXPECT_FALSE(reserve.Keep(file.get(), 0, 4 * SmallDisk::kBytes).has_value());
  struct statvfs status {};
  ASSERT_EQ(::fstatvfs(file.get(), &status), 0);
  EXPECT_GE(status.f_bavail * status.f_frsize, std::uint64_t{1} << 20U);
  EXPECT_LT(status.f_bavail * status.f_frsize, std::uint64_t{SmallDisk::kBytes});
}

TEST_F(DiskReserveTest, ADiskThatWasFullMustHaveTheNextStep) {
  files_.allocate_error = ENOSPC;
  EXPECT_FALSE(Keep(0));
  files_.allocate_error = 0;
  files_.allocate_limit = kReserve;
  EXPECT_FALSE(Keep(0));
  files_.allocate_limit = 2 * kReserve;
  EXPECT_TRUE(Keep(0));
}

TEST_F(DiskReserveTest, AnErrorIsToldAsTheSystemDoes) {
  files_.allocate_error = EIO;
  EXPECT_EQ(reserve_.Keep(file_.get(), 0, kReserve).error().message,
            "reserve disk space: Input/output error");
  EXPECT_EQ(files_.allocations, 1) << "less is no answer to that";
}

TEST_F(DiskReserveTest, AFileSystemThatTakesTheCallAndAllocatesNothingCannot) {
  files_.allocates_nothing = true;
  EXPECT_TRUE(Keep(0));
  EXPECT_FALSE(reserve_.supported());
}

TEST_F(DiskReserveTest, AFileSystemThatCannotIsAskedOnce) {
  for (const int error : {EOPNOTSUPP, ENOSYS}) {
    DiskReserve reserve(files_);
    files_.allocate_error = error;
    files_.allocations = 0;
    EXPECT_TRUE(reserve.Keep(file_.get(), 0, kReserve).has_value());
    EXPECT_TRUE(reserve.Keep(file_.get(), 1, kReserve).has_value());
    EXPECT_FALSE(reserve.supported());
    EXPECT_EQ(files_.allocations, 1);
  }
}

}  // namespace
}  // namespace tidewaiter::audit
