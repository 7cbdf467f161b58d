#include "broker/forward/position_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <limits>

#include "tests/support/scratch_folder.h"

namespace tidewaiter::forward {
namespace {

class PositionFileTest : public ::testing::Test {
 protected:
  PositionFile Open() {
    auto file = PositionFile::Open(folder_.path(), "syslog");
    EXPECT_TRUE(file.has_value());
    return *std::move(file);
  }
  void Put(const std::string& text) {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), 0600);
  }

  const testing::ScratchFolder folder_;
  const std::string path_ = folder_ / "forward/syslog.position";
};

TEST_F(PositionFileTest, IsNothingBeforeItWasWritten) {
  EXPECT_EQ(Open().Read().value(), std::nullopt);
}

TEST_F(PositionFileTest, KeepsAnyIndexForTheNextProcess) {
  for (const std::uint64_t index :
       {std::uint64_t{0}, std::uint64_t{7}, std::numeric_limits<std::uint64_t>::max()}) {
    ASSERT_TRUE(Open().Write(index).has_value());
    EXPECT_EQ(Open().Read().value(), index);
  }
}

TEST_F(PositionFileTest, WhatIsTornOrForeignIsNoPosition) {
  const PositionFile file = Open();
  for (const char* text :
       {"", "next-index", "next-index \n", "next-index 7", "next-index 07\n", "next-index -7\n",
        "next-index 7 \n", "next-index 7\n\n", "7\n", "next-index 18446744073709551616\n"}) {
    Put(text);
    const auto read = file.Read();
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kFailedPrecondition) << text;
  }
}

TEST_F(PositionFileTest, OneThatOthersCanWriteIsNotBelieved) {
  const PositionFile file = Open();
  Put("next-index 7\n");
  EXPECT_EQ(file.Read().value(), 7U);
  ::chmod(path_.c_str(), 0622);
  EXPECT_FALSE(file.Read().has_value());
}

TEST_F(PositionFileTest, AFolderThatOthersCanWriteIsRefused) {
  static_cast<void>(Open());
  ::chmod((folder_ / "forward").c_str(), 0777);
  EXPECT_FALSE(PositionFile::Open(folder_.path(), "syslog").has_value());
}

}  // namespace
}  // namespace tidewaiter::forward
