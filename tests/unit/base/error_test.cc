#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/result.h"

namespace tidewaiter {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Fail(ErrorCode::kInvalidArgument, "halve: odd", "ODD");
  return value / 2;
}

Result<int> Quarter(int value) {
  TW_ASSIGN(const int half, Half(value));
  return Half(half);
}

TEST(Error, ErrnoKeepsItsTextAndGetsACode) {
  const Error error = ErrnoError(ENOENT, "open 'x'");
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(error.message, "open 'x': No such file or directory");
}

TEST(Error, FullDiskIsResourceExhausted) {
  EXPECT_EQ(ErrnoError(ENOSPC, "write").code, ErrorCode::kResourceExhausted);
}

TEST(Error, WithinPutsTheContextInFrontAndKeepsTheReason) {
  const Error error = Fail(ErrorCode::kUnavailable, "refused", "CONNECT_FAILED").Within("ask 'x'");
  EXPECT_EQ(error.message, "ask 'x': refused");
  EXPECT_EQ(error.Reason(), "CONNECT_FAILED");
}

TEST(Error, ReasonDefaultsToTheCode) {
  EXPECT_EQ(Fail(ErrorCode::kPermissionDenied, "no").Reason(), "PERMISSION_DENIED");
}

TEST(Result, ErrorOfAnInnerCallIsReturnedUnchanged) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).error().reason, "ODD");
  EXPECT_EQ(Quarter(5).error().reason, "ODD");
}

}  // namespace
}  // namespace tidewaiter
