#include "broker/daemon/stderr_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidewaiter::daemon {
namespace {

using ::testing::EndsWith;

TEST(StderrLog, APasswordIsMasked) {
  ::testing::internal::CaptureStderr();
  StderrLog("info").Write(LogLevel::kError, "pull 'https://user:password@host/x': refused");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              EndsWith(" error: pull 'https://***@host/x': refused\n"));
}

}  // namespace
}  // namespace tidewaiter::daemon
