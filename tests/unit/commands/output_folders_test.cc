// With stand-ins for the worker: what it says and does is another's to test.
#include "client/commands/output_folders.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/support/scratch_folder.h"

namespace tidewaiter::cli {
namespace {

namespace fs = std::filesystem;

class OutputFoldersTest : public ::testing::Test {
 protected:
  OutputFoldersTest() { std::signal(SIGPIPE, SIG_IGN); }

  // What it reads becomes the content of the file "all".
  OutputFolders Make(const std::string& says = "accepted 1 1\\n") {
    const std::string path = folder_ / "worker";
    std::ofstream(path) << "#!/bin/sh\nPATH=/usr/bin:/bin\ncat > /proc/self/fd/3/all\nprintf \""
                        << says << "\" >&4\n";
    ::chmod(path.c_str(), 0700);
    return {{{"o", destination_, ""}}, path, {}};
  }
  static v1::OutputPiece Piece(const std::string& data, bool end = false) {
    v1::OutputPiece piece;
    piece.set_name("o");
    piece.set_data(data);
    if (end) piece.mutable_end();
    return piece;
  }
  [[nodiscard]] std::string Content() const {
    std::ifstream file(destination_ + "/all");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  testing::ScratchFolder folder_;
  const std::string destination_ = folder_ / "to";
};

TEST_F(OutputFoldersTest, PiecesThatEndFillTheFolder) {
  OutputFolders folders = Make();
  EXPECT_TRUE(folders.Take(Piece("one, ")));
  EXPECT_FALSE(fs::exists(destination_ + "/all"));
  EXPECT_FALSE(folders.complete());
  EXPECT_TRUE(folders.Take(Piece("two", true)));
  EXPECT_EQ(Content(), "one, two");
  EXPECT_TRUE(folders.complete());
  EXPECT_TRUE(folders.Missing().empty());
}

TEST_F(OutputFoldersTest, AnArchiveThatBrokeOffLeavesNothing) {
  OutputFolders folders = Make();
  v1::OutputPiece last = Piece("one", true);
  last.mutable_end()->set_error("no space");
  const auto taken = folders.Take(last);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message,
            "take output 'o' to '" + destination_ + "': the broker broke it off: no space");
  EXPECT_FALSE(fs::exists(destination_));
  EXPECT_FALSE(folders.complete());
}

TEST_F(OutputFoldersTest, AnArchiveThatIsRefusedLeavesNothingAndIsToldOnce) {
  OutputFolders folders = Make("refused fifo 2 1\\nnoa");
  const auto taken = folders.Take(Piece("one", true));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message,
            "take output 'o' to '" + destination_ + "': refused: fifo: no: 'a'");
  EXPECT_FALSE(fs::exists(destination_));
  EXPECT_TRUE(folders.Take(Piece("more")));
  EXPECT_TRUE(folders.Missing().empty());
  EXPECT_FALSE(folders.complete());
}

TEST_F(OutputFoldersTest, WhatDoesNotComeWholeIsMissing) {
  {
    OutputFolders folders = Make();
    EXPECT_EQ(folders.Missing(), std::vector<std::string>{"o"});
    EXPECT_TRUE(folders.Take(Piece("one")));
    EXPECT_EQ(folders.Missing(), std::vector<std::string>{"o"});
  }
  EXPECT_FALSE(fs::exists(destination_));
}

TEST_F(OutputFoldersTest, WhatComesAfterTheEndIsAnError) {
  OutputFolders folders = Make();
  EXPECT_TRUE(folders.Take(Piece("one", true)));
  EXPECT_FALSE(folders.Take(Piece("two", true)));
  EXPECT_EQ(Content(), "one");
}

TEST_F(OutputFoldersTest, AnOutputThatNobodyAskedForIsLetGo) {
  OutputFolders folders = Make();
  v1::OutputPiece other = Piece("x", true);
  other.set_name("other");
  EXPECT_TRUE(folders.Take(other));
  EXPECT_FALSE(fs::exists(destination_));
}

TEST_F(OutputFoldersTest, TheWorkerIsToldHowMuchMayCome) {
  OutputFolders folders = Make("refused fifo ${#1} 0\\n$1");
  folders.SetMaxBytes(12345);
  const auto taken = folders.Take(Piece("one", true));
  ASSERT_FALSE(taken);
  EXPECT_TRUE(taken.error().message.ends_with("refused: fifo: 12345")) << taken.error().message;
}

TEST_F(OutputFoldersTest, AFolderThatIsNotEmptyIsFoundBefore) {
  EXPECT_TRUE(OutputFolders::Check({{"o", destination_, ""}}));
  EXPECT_FALSE(fs::exists(destination_));
  fs::create_directory(destination_);
  EXPECT_TRUE(OutputFolders::Check({{"o", destination_, ""}}));
  EXPECT_FALSE(OutputFolders::Check({{"o", destination_, ""}, {"p", destination_, ""}}));
  EXPECT_TRUE(fs::is_empty(destination_));
  std::ofstream(destination_ + "/x") << "x";
  EXPECT_FALSE(OutputFolders::Check({{"o", destination_, ""}}));
}

}  // namespace
}  // namespace tidewaiter::cli
