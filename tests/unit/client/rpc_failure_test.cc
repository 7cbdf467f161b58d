#include "client/rpc_failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace tidewaiter::client {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

template <typename Message>
void Attach(v1::StatusDetails& details, const std::string& url, const Message& message) {
  auto* any = details.add_details();
  any->set_type_url(url);
  any->set_value(message.SerializeAsString());
}

RpcFailure Read(grpc::StatusCode code, const v1::StatusDetails& details) {
  return ReadFailure(grpc::Status(code, "denied by policy", details.SerializeAsString()));
}

TEST(RpcFailure, TakesTheReasonFromErrorInfo) {
  v1::StatusDetails details;
  v1::ErrorInfo info;
  info.set_reason("POLICY_DENIED");
  Attach(details, "type.googleapis.com/google.rpc.ErrorInfo", info);
  const RpcFailure failure = Read(grpc::PERMISSION_DENIED, details);
  EXPECT_EQ(failure.error.code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(failure.error.reason, "POLICY_DENIED");
  EXPECT_EQ(failure.error.message, "denied by policy");
}

TEST(RpcFailure, TakesViolationsAndTheirTotalFromDenialDetails) {
  v1::StatusDetails details;
  v1::DenialDetails denial;
  denial.add_violations()->set_rule("image.tag-required");
  denial.set_total(7);
  Attach(details, "type.googleapis.com/tidewaiter.v1.DenialDetails", denial);
  const RpcFailure failure = Read(grpc::PERMISSION_DENIED, details);
  ASSERT_THAT(failure.violations, SizeIs(1));
  EXPECT_EQ(failure.violations[0].rule(), "image.tag-required");
  EXPECT_EQ(failure.total_violations, 7U);
}

TEST(RpcFailure, TakesTheDelayFromRetryInfo) {
  v1::StatusDetails details;
  v1::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(1);
  retry.mutable_retry_delay()->set_nanos(500'000'000);
  Attach(details, "type.googleapis.com/google.rpc.RetryInfo", retry);
  EXPECT_EQ(Read(grpc::RESOURCE_EXHAUSTED, details).retry_after, std::chrono::milliseconds(1500));
}

TEST(RpcFailure, ClampsADelayBeyondAllReason) {
  v1::StatusDetails details;
  v1::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(std::numeric_limits<std::int64_t>::max());
  Attach(details, "type.googleapis.com/google.rpc.RetryInfo", retry);
  EXPECT_EQ(Read(grpc::RESOURCE_EXHAUSTED, details).retry_after, std::chrono::hours(24));
}

TEST(RpcFailure, IgnoresDetailsThatAreNoMessage) {
  const RpcFailure failure = ReadFailure(grpc::Status(grpc::INTERNAL, "m", "\xff\xff\xff"));
  EXPECT_EQ(failure.error.message, "m");
  EXPECT_THAT(failure.error.reason, IsEmpty());
}

TEST(RpcFailure, IgnoresDetailsOfOtherTypes) {
  v1::StatusDetails details;
  v1::ErrorInfo info;
  info.set_reason("POLICY_DENIED");
  Attach(details, "type.googleapis.com/google.rpc.Help", info);
  Attach(details, "google.rpc.ErrorInfo", info);
  EXPECT_THAT(Read(grpc::PERMISSION_DENIED, details).error.reason, IsEmpty());
}

TEST(RpcFailure, NamesWhoseConnectionWasLost) {
  const RpcFailure failure = ReadFailure(grpc::Status(grpc::UNAVAILABLE, "Socket closed"));
  EXPECT_THAT(failure.error.message, StartsWith("the connection to the broker was lost: "));
}

TEST(RpcFailure, LeavesTheBrokersOwnUnavailableAlone) {
  v1::StatusDetails details;
  v1::ErrorInfo info;
  info.set_reason("ENGINE_UNAVAILABLE");
  Attach(details, "type.googleapis.com/google.rpc.ErrorInfo", info);
  EXPECT_EQ(Read(grpc::UNAVAILABLE, details).error.message, "denied by policy");
}

}  // namespace
}  // namespace tidewaiter::client
