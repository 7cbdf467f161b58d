#include "broker/daemon/leak_check.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "tests/support/core_world.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::daemon {
namespace {

// There is something to look at twice: the state folder cannot be read.
class LeakCheckTest : public ::testing::Test, public testing::CoreWorld {
 protected:
  [[nodiscard]] LeakCheck Checking(std::chrono::milliseconds pause) {
    return LeakCheck({.environment = &environment,
                      .registry = &registry(),
                      .state_dir = "/nonexistent",
                      .pause = pause});
  }
};

TEST_F(LeakCheckTest, WhatIsWrongTwiceIsTold) {
  LeakCheck check = Checking(std::chrono::milliseconds(1));
  const auto found = check.Run();
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_EQ(found->leak_report().leaks_size(), 1);
  EXPECT_EQ(found->leak_report().leaks(0).kind(), "not-compared");
}

TEST_F(LeakCheckTest, WhatIsKeptBeyondItsRetentionIsTold) {
  const testing::ScratchFolder folder;
  run::KeptRun kept;
  kept.entry.run_id = RunId(RandomId());
  for (const char* name : {"runs", "set-aside", "kept"}) {
    std::filesystem::create_directory(folder / name);
  }
  std::filesystem::create_directory(folder / ("kept/" + kept.entry.run_id.value()));
  environment.settings.reap_retry_min = std::chrono::hours(1);
  journal.FailRemovals(1);
  journal.LeaveKept(kept);  // that has ended in 1970
  ASSERT_TRUE(registry().RecoverLeftovers());
  ASSERT_TRUE(log.lines.WaitFor("remove kept run"));
  LeakCheck check({.environment = &environment,
                   .registry = &registry(),
                   .state_dir = folder.path(),
                   .pause = std::chrono::milliseconds(1)});
  const auto found = check.Run();
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_EQ(found->leak_report().leaks_size(), 1);
  EXPECT_EQ(found->leak_report().leaks(0).kind(), "overdue");
  EXPECT_EQ(found->leak_report().leaks(0).run_id(), kept.entry.run_id.value());
}

TEST_F(LeakCheckTest, AStopEndsItsPause) {
  LeakCheck check = Checking(std::chrono::hours(1));
  check.Stop();
  const auto found = check.Run();
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().Reason(), "SHUTTING_DOWN");
}

}  // namespace
}  // namespace tidewaiter::daemon
