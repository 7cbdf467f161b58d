#include "client/commands/audit_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tidewaiter::cli {
namespace {

using ::testing::HasSubstr;

class AuditFolder : public ::testing::Test {
 protected:
  AuditFolder() {
    std::string pattern = ::testing::TempDir() + "auditXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    std::filesystem::current_path(folder_);
  }
  ~AuditFolder() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(folder_);
  }
  static audit::VerifierKey NewKey() {
    return audit::SigningKey::Generate("tidewaiter/test")->verifier();
  }

  const std::filesystem::path before_ = std::filesystem::current_path();
  std::string folder_;
};

// As a copy could bring along whose reader stands in it.
TEST_F(AuditFolder, AFileOfTheKeysNameIsNotTheKey) {
  const audit::VerifierKey given = NewKey();
  std::filesystem::create_directories(std::filesystem::path(given.ToString()).parent_path());
  std::ofstream(given.ToString()) << NewKey().ToString();
  const auto found = FindAuditKey(given.ToString(), folder_);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->key, given);
}

TEST_F(AuditFolder, AKeyIsReadFromAFile) {
  const audit::VerifierKey key = NewKey();
  std::ofstream("auditor.pub") << key.ToString() << '\n';
  const auto found = FindAuditKey("auditor.pub", folder_);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->key, key);
  EXPECT_FALSE(found->from_folder);
}

TEST_F(AuditFolder, TheFoldersOwnKeyIsKnownForWhatItIs) {
  std::ofstream("key.pub") << NewKey().ToString() << '\n';
  const auto found = FindAuditKey("", folder_);
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->from_folder);
}

TEST_F(AuditFolder, WhatIsNoFileIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo("key.pub", 0600), 0);
  EXPECT_THAT(FindAuditKey("", folder_).error().message, HasSubstr("not a regular file"));
  std::filesystem::remove("key.pub");
  std::filesystem::create_symlink("/etc/hostname", "key.pub");
  EXPECT_FALSE(FindAuditKey("", folder_).has_value());
}

TEST_F(AuditFolder, AKeyThatIsNoneSaysWhy) {
  EXPECT_THAT(FindAuditKey("tidewaiter/test+00000000+AQID", folder_).error().message,
              HasSubstr("32 bytes"));
}

}  // namespace
}  // namespace tidewaiter::cli
