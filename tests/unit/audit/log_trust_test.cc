// Whose folder and whose file of lines a log is written to.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/log.h"
#include "audit/segment_name.h"
#include "tests/support/audit_store.h"
#include "tests/support/required.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using ::testing::HasSubstr;

class LogTrust : public ::testing::Test {
 protected:
  std::string Refusal() const {
    const auto log =
        Log::Open({.directory = folder_.path(), .broker_id = "b", .store = testing::AuditStore()});
    return log ? "it was opened" : log.error().message;
  }

  const ScratchFolder folder_;
  const std::string lines_ = folder_.File(SegmentFileName(0, kLinesSuffix));
};

TEST_F(LogTrust, AFolderOfSomebodyElsesIsRefused) {
  TW_REQUIRE_ROOT();
  ASSERT_EQ(::chown(folder_.path().c_str(), 12345, 0), 0);
  EXPECT_THAT(Refusal(), HasSubstr("others can write in it"));
}

TEST_F(LogTrust, LinesOfSomebodyElsesAreRefused) {
  TW_REQUIRE_ROOT();
  ASSERT_EQ(Refusal(), "it was opened");
  ASSERT_EQ(::chown(lines_.c_str(), 12345, 0), 0);
  EXPECT_THAT(Refusal(), HasSubstr("not owned by this process"));
}

TEST_F(LogTrust, APipeInPlaceOfTheLinesIsRefusedAndHoldsUpNobody) {
  ASSERT_EQ(Refusal(), "it was opened");
  ASSERT_EQ(::unlink(lines_.c_str()), 0);
  ASSERT_EQ(::mkfifo(lines_.c_str(), 0600), 0);
  EXPECT_THAT(Refusal(), HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace tidewaiter::audit
