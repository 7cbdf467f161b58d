#include "broker/kubernetes/token_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/support/scratch_folder.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

class TokenSourceTest : public ::testing::Test {
 protected:
  TokenSourceTest() { access_.token_file = folder_ / "token"; }

  void Write(const std::string& text, mode_t mode = 0600) {
    std::ofstream(access_.token_file) << text;
    ASSERT_EQ(::chmod(access_.token_file.c_str(), mode), 0);
  }
  TokenSource Source() {
    return TokenSource(access_, [this] { return now_; });
  }
  static std::string Text(const Result<std::string>& token) {
    return token ? *token : std::string(token.error().Reason()) + ": " + token.error().message;
  }

  const tidewaiter::testing::ScratchFolder folder_;
  ClusterAccess access_;
  Deadline::Clock::time_point now_{};
};

TEST_F(TokenSourceTest, FixedTokenStaysAndNeedsNoFile) {
  ClusterAccess access;
  access.token = "fixed";
  TokenSource source(access);
  EXPECT_EQ(Text(source.Current()), "fixed");
  source.Invalidate();
  EXPECT_EQ(Text(source.Current()), "fixed");
  EXPECT_EQ(Text(TokenSource(ClusterAccess()).Current()), "");
}

TEST_F(TokenSourceTest, FileIsReadAgainAfterAMinute) {
  Write(" one\n");
  TokenSource source = Source();
  EXPECT_EQ(Text(source.Current()), "one");
  Write("two\r\n");
  now_ += seconds(60) - milliseconds(1);
  EXPECT_EQ(Text(source.Current()), "one");
  now_ += milliseconds(1);
  EXPECT_EQ(Text(source.Current()), "two");
}

TEST_F(TokenSourceTest, FileIsReadAgainAtOnceWhenItsTokenWasRefused) {
  Write("one");
  TokenSource source = Source();
  EXPECT_EQ(Text(source.Current()), "one");
  Write("two");
  source.Invalidate();
  EXPECT_EQ(Text(source.Current()), "two");
  Write("three");
  EXPECT_EQ(Text(source.Current()), "two");
}

TEST_F(TokenSourceTest, LastGoodTokenGoesOnWhileTheFileIsNotGood) {
  Write("one");
  TokenSource source = Source();
  EXPECT_EQ(Text(source.Current()), "one");
  EXPECT_FALSE(source.Problem().has_value());
  std::filesystem::remove(access_.token_file);
  now_ += seconds(60);
  EXPECT_EQ(Text(source.Current()), "one");
  ASSERT_TRUE(source.Problem().has_value());
  EXPECT_THAT(source.Problem()->message, HasSubstr("No such file"));
  Write("");  // its writer has but begun
  now_ += seconds(10);
  EXPECT_EQ(Text(source.Current()), "one");
  Write("two");
  now_ += seconds(10) - milliseconds(1);
  EXPECT_EQ(Text(source.Current()), "one");
  now_ += milliseconds(1);
  EXPECT_EQ(Text(source.Current()), "two");
  EXPECT_FALSE(source.Problem().has_value());
}

TEST_F(TokenSourceTest, WithoutAGoodTokenThereIsAnErrorUntilThereIsOne) {
  TokenSource source = Source();
  EXPECT_THAT(Text(source.Current()), HasSubstr("No such file"));
  Write("one");
  EXPECT_EQ(Text(source.Current()), "one");
}

TEST_F(TokenSourceTest, TokenThatOthersMayChangeIsRefused) {
  Write("one", 0644);  // as the kubelet's
  EXPECT_EQ(Text(Source().Current()), "one");
  Write("one", 0660);
  EXPECT_THAT(Text(Source().Current()), HasSubstr("PERMISSION_DENIED"));
  Write("one", 0602);
  EXPECT_THAT(Text(Source().Current()), HasSubstr("PERMISSION_DENIED"));
}

TEST_F(TokenSourceTest, TokenBehindALinkThatMovesIsRead) {
  const std::string target = folder_ / "..data";
  std::ofstream(target) << "linked";
  ASSERT_EQ(::chmod(target.c_str(), 0644), 0);
  std::filesystem::create_symlink("..data", access_.token_file);
  EXPECT_EQ(Text(Source().Current()), "linked");
}

TEST_F(TokenSourceTest, WhatIsNoTokenIsRefusedAndNotShown) {
  for (const std::string& text :
       {std::string("sec ret"), std::string("sec\nret"), std::string("sec\0ret", 7),
        std::string("sec\x7f"), std::string("sec\xc3\xa9"), std::string(" \n"),
        std::string(kMaxTokenBytes + 1, 's')}) {
    const Result<std::string> token = CheckToken(text);
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().Reason(), "CLUSTER_TOKEN");
    EXPECT_THAT(token.error().message, Not(HasSubstr("sec")));
  }
  EXPECT_TRUE(CheckToken("\n" + std::string(kMaxTokenBytes, 's') + " ").has_value());
}

TEST_F(TokenSourceTest, FileThatIsTooLongIsNotReadToItsEnd) {
  Write(std::string(std::size_t{1} << 20U, 's'));
  EXPECT_THAT(Text(Source().Current()), HasSubstr("RESOURCE_EXHAUSTED"));
}

// A sanitizer sees whether they get into each other's way.
TEST_F(TokenSourceTest, ManyAskAtOnce) {
  Write("one");
  TokenSource source(access_);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n) {
        if (Text(source.Current()) != "one") ++wrong;
        source.Invalidate();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tidewaiter::kubernetes
