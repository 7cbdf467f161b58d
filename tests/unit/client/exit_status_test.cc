#include "client/exit_status.h"

#include <gtest/gtest.h>

#include "base/result.h"

namespace tidewaiter::client {
namespace {

v1::RunResult Ended(v1::RunResult::Outcome outcome, int exit_code = 0) {
  v1::RunResult result;
  result.set_outcome(outcome);
  result.set_exit_code(exit_code);
  return result;
}

TEST(ExitStatus, IsTheContainersOwn) {
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::EXITED, 0)), 0);
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::EXITED, 137)), 137);
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::EXITED, 255)), 255);
}

TEST(ExitStatus, AnImpossibleCodeIsNeverASuccess) {
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::EXITED, 256)), 125);
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::EXITED, -1)), 125);
}

TEST(ExitStatus, AnOutcomeThatIsNotKnownIsAFailure) {
  EXPECT_EQ(ExitStatusOf(v1::RunResult()), 125);
  EXPECT_EQ(ExitStatusOf(Ended(static_cast<v1::RunResult::Outcome>(99))), 125);
}

TEST(ExitStatus, TellsOutcomesApart) {
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::TIMED_OUT, 137)), 124);
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::FAILED)), 125);
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::SHUTDOWN, 143)), 125);
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::COMMAND_FAILED, 126)), 126);
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::COMMAND_FAILED, 127)), 127);
  EXPECT_EQ(ExitStatusOf(Ended(v1::RunResult::CANCELLED, 143)), 130);
}

TEST(ExitStatus, ADenialIsSeventySeven) {
  EXPECT_EQ(ExitStatusOf(Fail(ErrorCode::kPermissionDenied, "", "POLICY_DENIED")), 77);
  EXPECT_EQ(ExitStatusOf(Fail(ErrorCode::kPermissionDenied, "", "ROLE_MISSING")), 77);
}

TEST(ExitStatus, ASocketThatMayNotBeOpenedIsNoDenialByPolicy) {
  EXPECT_EQ(ExitStatusOf(Fail(ErrorCode::kPermissionDenied, "", "SOCKET_FORBIDDEN")), 125);
}

TEST(ExitStatus, OnlyTheBrokersOwnWordMeansTryAgain) {
  EXPECT_EQ(ExitStatusOf(Fail(ErrorCode::kResourceExhausted, "", "NO_CAPACITY")), 75);
  // gRPC's own, as for a message beyond its size limit.
  EXPECT_EQ(ExitStatusOf(Fail(ErrorCode::kResourceExhausted, "")), 125);
}

TEST(ExitStatus, AnUnreachableBrokerIsABrokerThatFailed) {
  EXPECT_EQ(ExitStatusOf(Fail(ErrorCode::kUnavailable, "")), 125);
  EXPECT_EQ(ExitStatusOf(Fail(ErrorCode::kInvalidArgument, "")), 125);
}

}  // namespace
}  // namespace tidewaiter::client
