#include "audit/log_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/unit/audit/faulty_files.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using ::testing::HasSubstr;

std::string Line(int index) {
  return R"({"index":)" + std::to_string(index) + R"(,"time":"t","type":"run.denied"})" + "\n";
}

constexpr char kName[] = "00000000000000000000.jsonl";

class LogFileTest : public ::testing::Test {
 protected:
  Result<LogFile> Open() { return LogFile::Open(directory_.get(), kName, files_); }
  Result<LogFile> Begin() { return LogFile::Begin(directory_.get(), kName, files_); }
  // A log of one record, closed.
  void MakeLog() { ASSERT_TRUE(Begin()->Append(Line(0)).has_value()); }

  ScratchFolder folder_;
  const std::string path_ = folder_.File(kName);
  FaultyFiles files_;
  UniqueFd directory_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(LogFileTest, IsForItsOwnerOnly) {
  ASSERT_TRUE(Begin().has_value());
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(LogFileTest, GoesOnBehindWhatIsThere) {
  MakeLog();
  ASSERT_TRUE(Open()->Append(Line(1)).has_value());
  EXPECT_EQ(ReadText(path_), Line(0) + Line(1));
}

TEST_F(LogFileTest, WhatIsCutIsGoneForGood) {
  MakeLog();
  AppendText(path_, Line(1).substr(0, 20));
  auto file = Open();
  ASSERT_TRUE(file->CutTo(Line(0).size()).has_value());
  EXPECT_FALSE(file->torn());
  EXPECT_EQ(ReadText(path_), Line(0));
}

TEST_F(LogFileTest, IsNotBegunWhereThereIsSomething) {
  AppendText(path_, "root:x:0:0:root:/root:/bin/bash\n");
  std::filesystem::permissions(path_, std::filesystem::perms(0600));
  const auto file = Begin();
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(ReadText(path_), "root:x:0:0:root:/root:/bin/bash\n");
}

TEST_F(LogFileTest, IsNotOpenedWhereThereIsNothing) {
  EXPECT_EQ(Open().error().code, ErrorCode::kNotFound);
}

TEST_F(LogFileTest, ALinkIsNotFollowed) {
  AppendText(folder_.File("elsewhere"), "");
  std::filesystem::create_symlink("elsewhere", path_);
  EXPECT_FALSE(Open().has_value());
  EXPECT_FALSE(Begin().has_value());
}

TEST_F(LogFileTest, AFileThatOthersCanWriteIsRefused) {
  MakeLog();
  std::filesystem::permissions(path_, std::filesystem::perms(0660));
  EXPECT_THAT(Open().error().message, HasSubstr("writable by others"));
}

TEST_F(LogFileTest, AFileWithASecondNameIsRefused) {
  MakeLog();
  std::filesystem::create_hard_link(path_, folder_.File("other"));
  EXPECT_THAT(Open().error().message, HasSubstr("another name"));
}

TEST_F(LogFileTest, ShortWritesAreContinued) {
  auto file = Begin();
  files_.write_limit = 7;
  ASSERT_TRUE(file->Append(Line(0) + Line(1)).has_value());
  EXPECT_EQ(ReadText(path_), Line(0) + Line(1));
}

TEST_F(LogFileTest, AFailedWriteLeavesNoByte) {
  MakeLog();
  auto file = Open();
  files_.write_error = ENOSPC;
  files_.bytes_before_error = 10;
  const auto written = file->Append(Line(1));
  ASSERT_FALSE(written.has_value());
  EXPECT_THAT(written.error().message, HasSubstr("No space left"));
  EXPECT_FALSE(file->torn());
  EXPECT_EQ(ReadText(path_), Line(0));
}

TEST_F(LogFileTest, AFailedSyncLeavesNoByte) {
  MakeLog();
  auto file = Open();
  files_.sync_error = EIO;
  EXPECT_FALSE(file->Append(Line(1)).has_value());
  // The cut itself could not be synced, so after a power failure the line could be back.
  EXPECT_TRUE(file->torn());
  EXPECT_EQ(ReadText(path_), Line(0));
}

TEST_F(LogFileTest, WhatCouldNotBeCutIsCutBeforeTheNextBatch) {
  auto file = Begin();
  files_.write_error = EIO;
  files_.bytes_before_error = 5;
  files_.truncate_error = EIO;
  EXPECT_FALSE(file->Append(Line(0)).has_value());
  EXPECT_TRUE(file->torn());
  files_.write_error = 0;
  files_.truncate_error = 0;
  ASSERT_TRUE(file->Append(Line(0)).has_value());
  EXPECT_EQ(ReadText(path_), Line(0));
}

TEST_F(LogFileTest, ADeletedFileIsNoticed) {
  auto file = Begin();
  std::filesystem::remove(path_);
  EXPECT_EQ(file->Append(Line(0)).error().reason, kLogReplaced);
}

TEST_F(LogFileTest, AReplacedFileIsNoticed) {
  auto file = Begin();
  std::filesystem::rename(path_, folder_.File("old"));
  AppendText(path_, "");
  EXPECT_EQ(file->Append(Line(0)).error().reason, kLogReplaced);
}

TEST_F(LogFileTest, SomeoneElsesBytesAreNoticed) {
  auto file = Begin();
  ASSERT_TRUE(file->Append(Line(0)).has_value());
  AppendText(path_, "x");
  EXPECT_EQ(file->Append(Line(1)).error().reason, kLogReplaced);
}

}  // namespace
}  // namespace tidewaiter::audit
