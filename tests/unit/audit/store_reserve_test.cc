// The reserve of the segment that grows, over cuts, restarts and the next segment.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "audit/log_store.h"
#include "audit/segment_name.h"
#include "audit/verifier.h"
#include "base/unique_fd.h"
#include "tests/support/audit_store.h"
#include "tests/unit/audit/faulty_files.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StoreReserveTest : public ::testing::Test {
 protected:
  LogStore Open() {
    auto store = LogStore::Open(directory_.get(), settings_, files_);
    if (!store) ADD_FAILURE() << store.error().message;
    return *std::move(store);
  }
  static void Append(LogStore& store) {
    const std::string line = R"({"index":)" + std::to_string(store.end().next_index) +
                             R"(,"time":"t","type":"run.denied"})" + "\n";
    const auto appended = store.Append(line);
    ASSERT_TRUE(appended.has_value()) << appended.error().message;
  }
  // Bytes of disk that the segment takes.
  [[nodiscard]] std::uint64_t Allocated(std::uint64_t first) const {
    struct stat status {};
    const std::string path = folder_.File(SegmentFileName(first, kLinesSuffix));
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return 512 * static_cast<std::uint64_t>(status.st_blocks);
  }
  [[nodiscard]] std::vector<std::uint64_t> Segments() const {
    std::vector<std::uint64_t> firsts;
    const auto segments = ListSegments(directory_.get());
    for (const SegmentFiles& each : *segments) firsts.push_back(each.first);
    return firsts;
  }

  ScratchFolder folder_;
  const UniqueFd directory_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  FaultyFiles files_;
  StoreSettings settings_ = testing::AuditStore();
  const std::uint64_t reserve_ = settings_.reserve_bytes;
};

TEST_F(StoreReserveTest, IsThereFromTheStart) {
  LogStore store = Open();
  EXPECT_GE(Allocated(0), reserve_);
}

TEST_F(StoreReserveTest, GoesWithASegmentThatIsFinishedAndIsThereForTheNext) {
  settings_.segment_bytes = 1;
  LogStore store = Open();
  Append(store);
  ASSERT_TRUE(store.RotateIfDue().has_value());
  EXPECT_LT(Allocated(0), reserve_);
  EXPECT_GE(Allocated(1), reserve_);
}

TEST_F(StoreReserveTest, ASegmentForWhichThereIsNoneIsNotBegun) {
  settings_.segment_bytes = 1;
  LogStore store = Open();
  Append(store);
  files_.allocate_error = ENOSPC;
  EXPECT_FALSE(store.RotateIfDue().has_value());
  EXPECT_TRUE(store.rotation_failure().has_value());
  EXPECT_THAT(Segments(), ElementsAre(0));
  EXPECT_GE(Allocated(0), reserve_) << "the old one keeps its own";
  Append(store);
  ASSERT_TRUE(store.Sign().has_value());
  const auto verdict = VerifyLog(UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)),
                                 {.key = settings_.key->verifier()});
  EXPECT_THAT(verdict->faults, IsEmpty());
}

// What is not durably gone could come back after a crash, as a second segment that grows from the
// same record.
TEST_F(StoreReserveTest, TheNextRecordWaitsUntilASegmentThatWasNotBegunIsGoneForGood) {
  settings_.segment_bytes = 1;
  LogStore store = Open();
  Append(store);
  files_.allocate_error = ENOSPC;
  ASSERT_FALSE(store.RotateIfDue().has_value());
  files_.folder_sync_error = EIO;
  EXPECT_FALSE(store.Append("{}\n").has_value());
  files_.folder_sync_error = 0;
  Append(store);
}

TEST_F(StoreReserveTest, ARestartOnAFullDiskHasWhatTheOneBeforeHad) {
  { LogStore store = Open(); }
  files_.allocate_error = ENOSPC;
  LogStore store = Open();
  EXPECT_GE(Allocated(0), reserve_);
}

TEST_F(StoreReserveTest, IsThereAfterATornEndWasCut) {
  { LogStore store = Open(); }
  AppendText(folder_.File(testing::FirstSegment()), "{\"ind");
  LogStore store = Open();
  EXPECT_EQ(store.cut_bytes(), 5U);
  EXPECT_GE(Allocated(0), reserve_);
}

TEST_F(StoreReserveTest, IsThereAfterAFailedWriteWasCut) {
  LogStore store = Open();
  files_.write_error = ENOSPC;
  files_.bytes_before_error = 2;
  ASSERT_FALSE(store.Append("{}\n").has_value());
  EXPECT_GE(Allocated(0), reserve_);
}

TEST_F(StoreReserveTest, IsThereForASegmentThatFollowsOneThatWasDeleted) {
  LogStore store = Open();
  Append(store);
  std::filesystem::remove(folder_.File(testing::FirstSegment()));
  ASSERT_FALSE(store.Append("{}\n").has_value());
  Append(store);
  EXPECT_GE(Allocated(1), reserve_);
}

// A file that somebody has cut is longer again after an ftruncate(2), and nobody sees it.
TEST_F(StoreReserveTest, AFinishedSegmentThatSomebodyChangedIsLeftAsItIs) {
  settings_.segment_bytes = 1;
  LogStore store = Open();
  Append(store);
  std::filesystem::resize_file(folder_.File(testing::FirstSegment()), 3);
  ASSERT_TRUE(store.RotateIfDue().has_value());
  EXPECT_EQ(std::filesystem::file_size(folder_.File(testing::FirstSegment())), 3U);
}

}  // namespace
}  // namespace tidewaiter::audit
