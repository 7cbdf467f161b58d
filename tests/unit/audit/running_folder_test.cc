// Verifying a folder from which a broker removes what is old, and what a hostile one has in store.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "audit/log_store.h"
#include "audit/segment_name.h"
#include "audit/segment_packer.h"
#include "audit/verifier.h"
#include "base/unique_fd.h"
#include "tests/support/audit_store.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using ::testing::IsEmpty;

UniqueFd OpenFolder(const ScratchFolder& folder) {
  return UniqueFd(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

TEST(RunningFolder, WhatIsRemovedMeanwhileIsNotMissing) {
  constexpr std::uint64_t kSegments = 200;
  constexpr std::uint64_t kKept = 150;
  const ScratchFolder folder;
  const UniqueFd directory = OpenFolder(folder);
  StoreSettings settings = testing::AuditStore();
  settings.segment_bytes = 1;
  {
    auto store = LogStore::Open(directory.get(), settings, FileOperations::System());
    ASSERT_TRUE(store.has_value()) << store.error().message;
    for (std::uint64_t i = 0; i < kSegments; ++i) {
      const std::string line = R"({"index":)" + std::to_string(i) +
                               R"(,"log":{"cause":"c","removed_to":)" + std::to_string(kKept) +
                               R"(},"time":"t","type":"audit.removed"})" + "\n";
      ASSERT_TRUE(store->Append(line).has_value());
      ASSERT_TRUE(store->RotateIfDue().has_value());
    }
  }
  const std::jthread remover([&] {
    for (std::uint64_t first = 0; first < kKept; ++first) {
      for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
        std::filesystem::remove(folder.File(SegmentFileName(first, suffix)));
      }
    }
  });
  const auto verdict = VerifyLog(OpenFolder(folder), {.key = testing::AuditKey()->verifier()});
  ASSERT_TRUE(verdict.has_value()) << verdict.error().message;
  EXPECT_THAT(verdict->faults, IsEmpty()) << verdict->faults.front().message;
}

// To its end it would take a day.
TEST(RunningFolder, WhatIsNotTheSameIsReadNoFurther) {
  const ScratchFolder folder;
  const UniqueFd directory = OpenFolder(folder);
  AppendText(folder.File(SegmentFileName(0, kLinesSuffix)), "{}\n");
  ASSERT_TRUE(PackSegment(directory.get(), 0, [] { return false; }).has_value());
  const std::string lines = folder.File(SegmentFileName(0, kLinesSuffix));
  AppendText(lines, "other\n");
  std::filesystem::resize_file(lines, std::uintmax_t{4} << 40U);
  const auto same = HasSameRecords(directory.get(), 0);
  ASSERT_TRUE(same.has_value()) << same.error().message;
  EXPECT_FALSE(*same);
  EXPECT_EQ(HasSameRecords(directory.get(), 0, [] { return true; }).error().code,
            ErrorCode::kCancelled);
}

}  // namespace
}  // namespace tidewaiter::audit
