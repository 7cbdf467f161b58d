#include "broker/daemon/key_change.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "audit/key_file.h"
#include "audit/signing_key_file.h"
#include "audit/verifier.h"
#include "base/unique_fd.h"
#include "tests/support/core_world.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::daemon {
namespace {

using ::testing::HasSubstr;

class KeyChangeTest : public ::testing::Test {
 protected:
  KeyChangeTest() {
    ::mkdir(state_.c_str(), 0700);
    Start();
  }

  void Start() {
    change_.reset();
    log_.reset();
    const auto keys = audit::LoadOrCreateSigningKeys(state_, "test");
    ASSERT_TRUE(keys.has_value()) << keys.error().message;
    audit::LogSettings settings{.directory = audit_, .broker_id = "test"};
    settings.store.key = keys->key;
    settings.store.successor = keys->successor;
    auto log = audit::Log::Open(std::move(settings));
    ASSERT_TRUE(log.has_value()) << log.error().message;
    log_ = *std::move(log);
    change_ = std::make_unique<KeyChange>(KeyChange::Parts{.state_dir = state_,
                                                           .broker_id = "test",
                                                           .audit_log = log_.get(),
                                                           .log = &said_,
                                                           .patience = std::chrono::seconds(60),
                                                           .begun = keys->successor});
  }
  // The new key cannot take its place: something that is no file stands there.
  void BlockPromotion() const {
    std::filesystem::rename(Key(), state_ + "/kept");
    std::filesystem::create_directory(Key());
  }
  void UnblockPromotion() const {
    std::filesystem::remove(Key());
    std::filesystem::rename(state_ + "/kept", Key());
  }
  [[nodiscard]] std::string Key() const { return state_ + "/" + audit::kSigningKeyName; }
  [[nodiscard]] bool HasSuccessor() const {
    return std::filesystem::exists(state_ + "/" + audit::kNextSigningKeyName);
  }
  void ExpectVerifies(const audit::VerifierKey& key) const {
    const auto verdict = audit::VerifyLog(
        UniqueFd(::open(audit_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), {.key = key});
    ASSERT_TRUE(verdict.has_value()) << verdict.error().message;
    EXPECT_TRUE(verdict->Holds()) << verdict->faults.front().message;
  }

  testing::ScratchFolder folder_;
  const std::string state_ = folder_ / "state";
  const std::string audit_ = folder_ / "audit";
  testing::FakeLog said_;
  std::unique_ptr<audit::Log> log_;
  std::unique_ptr<KeyChange> change_;
};

TEST_F(KeyChangeTest, TheNewKeySignsAndIsTheOneThatAStartFinds) {
  const audit::VerifierKey first = log_->PublicKey();
  const run::Caller caller{.uid = 7, .principal = "operator"};
  const auto done = change_->Run(caller);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(done->former, first.ToString());
  EXPECT_EQ(done->key, log_->PublicKey().ToString());
  EXPECT_NE(done->key, done->former);
  EXPECT_FALSE(HasSuccessor());
  EXPECT_FALSE(change_->Pending());
  Start();
  EXPECT_EQ(log_->PublicKey().ToString(), done->key);
  ExpectVerifies(first);
  ExpectVerifies(log_->PublicKey());
}

TEST_F(KeyChangeTest, TheRecordSaysWhoAskedAndBothKeys) {
  const run::Caller caller{.uid = 7, .principal = "operator"};
  const auto done = change_->Run(caller);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  std::ifstream file(audit_ + "/00000000000000000000.jsonl");
  std::string line;
  std::getline(file, line);
  EXPECT_THAT(line, HasSubstr(R"("principal":"operator")"));
  EXPECT_THAT(line, HasSubstr(R"("former_key":")" + done->former + R"(","key":")" + done->key));
}

TEST_F(KeyChangeTest, WhatWasBegunIsBroughtToItsEndWithTheSameKey) {
  BlockPromotion();
  ASSERT_FALSE(change_->Run(run::Caller{}).has_value());
  EXPECT_TRUE(change_->Pending());
  const auto begun = audit::LoadKeyFile(state_, audit::kNextSigningKeyName);
  ASSERT_TRUE(begun.has_value());
  UnblockPromotion();
  const auto done = change_->Run(run::Caller{});
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(audit::LoadKeyFile(state_, audit::kSigningKeyName)->view(), begun->view());
  EXPECT_FALSE(change_->Pending());
  ExpectVerifies(log_->PublicKey());
}

TEST_F(KeyChangeTest, AStartBringsItToItsEnd) {
  const audit::VerifierKey first = log_->PublicKey();
  BlockPromotion();
  ASSERT_FALSE(change_->Run(run::Caller{}).has_value());
  UnblockPromotion();
  Start();
  EXPECT_EQ(log_->PublicKey(), first);
  EXPECT_TRUE(change_->Pending());
  change_->Resume();
  EXPECT_NE(log_->PublicKey(), first);
  EXPECT_FALSE(HasSuccessor());
  ExpectVerifies(first);
  ExpectVerifies(log_->PublicKey());
}

TEST_F(KeyChangeTest, AStartWithNothingBegunChangesNothing) {
  const audit::VerifierKey first = log_->PublicKey();
  change_->Resume();
  EXPECT_EQ(log_->PublicKey(), first);
  EXPECT_EQ(log_->End().next_index, 0U);
}

}  // namespace
}  // namespace tidewaiter::daemon
