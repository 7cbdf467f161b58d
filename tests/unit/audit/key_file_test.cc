#include "audit/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/required.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kName[] = "some.key";

class KeyFileTest : public ::testing::Test {
 protected:
  Result<KeyFile> LoadOrCreate(const std::string& content = "a secret\n") const {
    return LoadOrCreateKeyFile(folder_.path(), kName,
                               [content] { return Result<std::string>(content); });
  }
  // The file as it is refused; it stays as it was.
  std::string Refusal() const {
    const auto loaded = LoadKeyFile(folder_.path(), kName);
    const auto again = LoadOrCreate();
    if (loaded || again) return "it was taken";
    EXPECT_EQ(loaded.error(), again.error());
    EXPECT_EQ(loaded.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_EQ(loaded.error().Reason(), "UNTRUSTED_KEY");
    return loaded.error().message;
  }

  ScratchFolder folder_;
  const std::string path_ = folder_.File(kName);
};

TEST_F(KeyFileTest, IsMadeOnceAndKept) {
  const auto first = LoadOrCreate("one\n");
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_TRUE(first->made);
  EXPECT_EQ(first->text.view(), "one\n");
  const auto second = LoadOrCreate("two\n");
  ASSERT_TRUE(second.has_value()) << second.error().message;
  EXPECT_FALSE(second->made);
  EXPECT_EQ(second->text.view(), "one\n");
  EXPECT_EQ(LoadKeyFile(folder_.path(), kName)->view(), "one\n");
}

TEST_F(KeyFileTest, IsItsOwnersAloneWhateverTheUmask) {
  const mode_t before = ::umask(0);
  const auto made = LoadOrCreate();
  ::umask(before);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0600));
}

TEST_F(KeyFileTest, NothingElseIsLeftInItsFolder) {
  AppendText(path_ + ".new", "of an attempt that a crash cut short");
  ASSERT_TRUE(LoadOrCreate().has_value());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST_F(KeyFileTest, OneThatIsMissingIsNotFound) {
  EXPECT_EQ(LoadKeyFile(folder_.path(), kName).error().code, ErrorCode::kNotFound);
}

TEST_F(KeyFileTest, WithoutANewOneThereIsNoFile) {
  const auto made = LoadOrCreateKeyFile(folder_.path(), kName, [] {
    return Result<std::string>(Fail(ErrorCode::kInternal, "make key: no randomness"));
  });
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().message, "make key: no randomness");
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(KeyFileTest, AnyRightOfOthersIsRefused) {
  ASSERT_TRUE(LoadOrCreate().has_value());
  for (const unsigned mode : {0640U, 0620U, 0610U, 0604U, 0602U, 0601U}) {
    fs::permissions(path_, fs::perms(mode));
    EXPECT_THAT(Refusal(), HasSubstr("others may have read it; chmod it to 0600")) << mode;
  }
  fs::permissions(path_, fs::perms(0400));
  EXPECT_TRUE(LoadOrCreate().has_value());
}

TEST_F(KeyFileTest, ASecondNameIsRefused) {
  ASSERT_TRUE(LoadOrCreate().has_value());
  fs::create_hard_link(path_, folder_.File("other"));
  EXPECT_THAT(Refusal(), HasSubstr("it has a second name"));
}

TEST_F(KeyFileTest, ALinkIsRefused) {
  ASSERT_TRUE(LoadOrCreate().has_value());
  fs::rename(path_, folder_.File("other"));
  fs::create_symlink(folder_.File("other"), path_);
  EXPECT_THAT(Refusal(), HasSubstr("not a regular file"));
}

TEST_F(KeyFileTest, WhatIsNoFileIsRefusedAndHoldsUpNobody) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(Refusal(), HasSubstr("not a regular file"));
  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_THAT(Refusal(), HasSubstr("not a regular file"));
}

TEST_F(KeyFileTest, OneThatIsEmptyOrTooLongIsRefusedAndNeverReplaced) {
  ASSERT_TRUE(LoadOrCreate().has_value());
  fs::resize_file(path_, 0);
  EXPECT_THAT(Refusal(), HasSubstr("it has 0 bytes"));
  EXPECT_EQ(fs::file_size(path_), 0U);
  fs::resize_file(path_, kMaxKeyFileBytes + 1);
  EXPECT_THAT(Refusal(), HasSubstr("it has 4097 bytes"));
  fs::resize_file(path_, kMaxKeyFileBytes);
  EXPECT_TRUE(LoadOrCreate().has_value());
}

TEST_F(KeyFileTest, AnothersIsRefused) {
  TW_REQUIRE_ROOT();
  ASSERT_TRUE(LoadOrCreate().has_value());
  ASSERT_EQ(::chown(path_.c_str(), 12345, 0), 0);
  EXPECT_THAT(Refusal(), HasSubstr("it belongs to uid 12345"));
}

TEST(SecretText, IsWipedWhereItWas) {
  std::string text = "short";  // in the object itself, which a move copies
  Wipe(text);
  EXPECT_EQ(std::string(text.data(), 5), std::string(5, '\0'));
  SecretText one(std::string("also short"));
  const char* const was = one.view().data();
  const SecretText other(std::move(one));
  EXPECT_EQ(other.view(), "also short");
  EXPECT_EQ(std::string(was, 10), std::string(10, '\0'));
}

}  // namespace
}  // namespace tidewaiter::audit
