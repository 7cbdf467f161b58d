#include "broker/daemon/audit_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::daemon {
namespace {

namespace fs = std::filesystem;
using audit::ReadText;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class RememberedLog : public Log {
 public:
  void Write(LogLevel, std::string_view message) override { lines.emplace_back(message); }
  std::vector<std::string> lines;
};

class AuditKeysTest : public ::testing::Test {
 protected:
  audit::ScratchFolder folder_;
  const std::string path_ = folder_.File("audit-hash.key");
  RememberedLog log_;
};

TEST_F(AuditKeysTest, TheFirstStartMakesTheKeyAndSaysSo) {
  EXPECT_THAT(*DescribeHashKey(folder_.path()), HasSubstr("the first start makes it"));
  EXPECT_FALSE(fs::exists(path_));
  const auto first = LoadOrCreateHashKey(folder_.path(), log_);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_THAT(log_.lines, ElementsAre(HasSubstr("made '" + path_ + "'")));
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0600));
  EXPECT_EQ(ReadText(path_), first->ToString());

  log_.lines.clear();
  const auto second = LoadOrCreateHashKey(folder_.path(), log_);
  ASSERT_TRUE(second.has_value()) << second.error().message;
  EXPECT_EQ(second->Hash("x"), first->Hash("x"));
  EXPECT_THAT(log_.lines, IsEmpty());
  EXPECT_EQ(*DescribeHashKey(folder_.path()), path_);
}

TEST_F(AuditKeysTest, OneThatIsNoKeyIsRefusedAndNeitherReplacedNorQuoted) {
  audit::AppendText(path_, "0123456789abcdef\n");
  fs::permissions(path_, fs::perms(0600));
  const auto loaded = LoadOrCreateHashKey(folder_.path(), log_);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(loaded.error().message, HasSubstr(path_));
  EXPECT_THAT(loaded.error().message, HasSubstr("restore it, or move it away"));
  EXPECT_THAT(loaded.error().message, Not(HasSubstr("0123")));
  EXPECT_EQ(DescribeHashKey(folder_.path()).error(), loaded.error());
  EXPECT_EQ(ReadText(path_), "0123456789abcdef\n");
}

TEST_F(AuditKeysTest, OneThatOthersCanReadIsRefused) {
  ASSERT_TRUE(LoadOrCreateHashKey(folder_.path(), log_).has_value());
  fs::permissions(path_, fs::perms(0640));
  const auto loaded = LoadOrCreateHashKey(folder_.path(), log_);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(DescribeHashKey(folder_.path()).error(), loaded.error());
}

}  // namespace
}  // namespace tidewaiter::daemon
