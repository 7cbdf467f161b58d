// An output that is kept on disk until somebody fetches it.
#include "broker/files/kept_archive.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/unique_fd.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::files {
namespace {

namespace fs = std::filesystem;

class KeptArchiveTest : public ::testing::Test {
 protected:
  KeptArchiveTest() { fs::create_directory(archives_); }

  std::unique_ptr<run::ArchiveKeeper> Make() {
    const UniqueFd folder(::open(archives_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto made = MakeKeptArchive(folder.get(), "results", [this]() -> Result<void> {
      if (has_room_) return Ok();
      return Fail(ErrorCode::kResourceExhausted, "keep the disk free: full", "DISK_LOW");
    });
    EXPECT_TRUE(made.has_value());
    return made ? *std::move(made) : nullptr;
  }
  void Keep(const std::string& content) {
    const auto archive = Make();
    ASSERT_TRUE(archive->Write(content));
    ASSERT_TRUE(archive->Finish());
  }
  // What is sent of it.
  Result<std::string> Send(const run::Patience& patience = {.stop = {},
                                                            .deadline = Deadline::Never()}) {
    const UniqueFd run(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::string got;
    TW_TRY(SendKeptArchive(
        run.get(), "results",
        [&](std::string_view piece) -> Result<void> {
          got += piece;
          if (taken_ < got.size()) return Fail(ErrorCode::kCancelled, "nobody takes it");
          return Ok();
        },
        patience));
    return got;
  }

  testing::ScratchFolder folder_;
  const fs::path archives_ = folder_ / std::string(run::kArchivesFolder);
  const fs::path file_ = archives_ / "results.tar";
  bool has_room_ = true;
  std::size_t taken_ = std::string::npos;
};

TEST_F(KeptArchiveTest, WhatIsFinishedIsSentAsItCame) {
  const std::string content(1'000'000, 'x');
  Keep(content);
  const auto sent = Send();
  ASSERT_TRUE(sent.has_value());
  EXPECT_TRUE(*sent == content);
}

TEST_F(KeptArchiveTest, WhatIsNotFinishedGoes) {
  auto archive = Make();
  ASSERT_TRUE(archive->Write("half"));
  EXPECT_TRUE(fs::exists(file_));
  archive.reset();
  EXPECT_FALSE(fs::exists(file_));
}

TEST_F(KeptArchiveTest, AFullDiskTakesNoMoreOfIt) {
  const auto archive = Make();
  ASSERT_TRUE(archive->Write("some"));
  has_room_ = false;
  const auto refused = archive->Write("more");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().Reason(), "DISK_LOW");
}

// A former broker died amid it.
TEST_F(KeptArchiveTest, AnEarlierHalfIsReplaced) {
  std::ofstream(file_) << "an earlier and longer half";
  Keep("whole");
  EXPECT_EQ(*Send(), "whole");
}

TEST_F(KeptArchiveTest, NobodyElseMayReadIt) {
  Keep("x");
  EXPECT_EQ(fs::status(file_).permissions(), fs::perms(0600));
}

TEST_F(KeptArchiveTest, ALinkInItsPlaceIsNeitherWrittenNorRead) {
  const fs::path other = folder_ / "other";
  std::ofstream(other) << "secret";
  fs::create_symlink(other, file_);
  EXPECT_FALSE(Send().has_value());
  Keep("own");
  std::ostringstream left;
  left << std::ifstream(other).rdbuf();
  EXPECT_EQ(left.str(), "secret");
  EXPECT_EQ(*Send(), "own");
}

TEST_F(KeptArchiveTest, AStopOrADeadlineEndsTheSending) {
  Keep("x");
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = Send({.stop = stop.get_token(), .deadline = Deadline::Never()});
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  const auto late = Send({.stop = {}, .deadline = Deadline::After({})});
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(KeptArchiveTest, WhoeverTakesNoMoreIsSentNoMore) {
  Keep(std::string(1'000'000, 'x'));
  taken_ = 0;
  const auto sent = Send();
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace tidewaiter::files
