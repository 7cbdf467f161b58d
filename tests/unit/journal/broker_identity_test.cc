#include "broker/journal/broker_identity.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::journal {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class BrokerIdentityTest : public ::testing::Test {
 protected:
  audit::ScratchFolder folder_;
  const std::string state_ = folder_.File("state");
  const std::string path_ = state_ + "/broker_id";
};

TEST_F(BrokerIdentityTest, IsMadeOnceAndKept) {
  const auto first = LoadOrCreateBrokerId(state_);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_TRUE(IsRandomId(first->value()));
  EXPECT_EQ(LoadOrCreateBrokerId(state_).value(), *first);
}

TEST_F(BrokerIdentityTest, IsForItsOwnerOnly) {
  ASSERT_TRUE(LoadOrCreateBrokerId(state_).has_value());
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0600));
  EXPECT_EQ(fs::status(state_).permissions(), fs::perms(0700));
}

TEST_F(BrokerIdentityTest, ASpoiltFileIsNeverReplaced) {
  ASSERT_TRUE(LoadOrCreateBrokerId(state_).has_value());
  fs::resize_file(path_, 3);
  const auto found = LoadOrCreateBrokerId(state_);
  ASSERT_FALSE(found.has_value());
  EXPECT_THAT(found.error().message, HasSubstr("holds no broker id"));
  EXPECT_EQ(fs::file_size(path_), 3U);
}

TEST_F(BrokerIdentityTest, AFileThatOthersCanWriteIsRefused) {
  ASSERT_TRUE(LoadOrCreateBrokerId(state_).has_value());
  fs::permissions(path_, fs::perms(0666));
  EXPECT_THAT(LoadOrCreateBrokerId(state_).error().message, HasSubstr("writable by others"));
}

TEST_F(BrokerIdentityTest, ALinkIsRefused) {
  ASSERT_TRUE(LoadOrCreateBrokerId(state_).has_value());
  fs::rename(path_, folder_.File("id"));
  fs::create_symlink(folder_.File("id"), path_);
  EXPECT_FALSE(LoadOrCreateBrokerId(state_).has_value());
}

TEST_F(BrokerIdentityTest, IsMadeWhileTheFolderIsLocked) {
  fs::create_directory(state_);
  fs::permissions(state_, fs::perms(0700));
  const UniqueFd folder(::open(state_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(folder.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_TRUE(LoadOrCreateBrokerId(state_).has_value());
}

TEST_F(BrokerIdentityTest, MakingItLeavesNothingElse) {
  ASSERT_TRUE(LoadOrCreateBrokerId(state_).has_value());
  EXPECT_EQ(std::distance(fs::directory_iterator(state_), fs::directory_iterator()), 1);
}

TEST_F(BrokerIdentityTest, AllWhoStartAtOnceGetTheSame) {
  std::mutex mutex;
  std::set<std::string> ids;
  {
    std::vector<std::jthread> starters;
    for (int i = 0; i < 8; ++i) {
      starters.emplace_back([&] {
        const auto id = LoadOrCreateBrokerId(state_);
        const std::lock_guard lock(mutex);
        ids.insert(id ? id->value() : id.error().message);
      });
    }
  }
  EXPECT_THAT(ids, SizeIs(1));
  EXPECT_TRUE(IsRandomId(*ids.begin())) << *ids.begin();
}

}  // namespace
}  // namespace tidewaiter::journal
