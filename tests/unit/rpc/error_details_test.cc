#include "broker/rpc/error_details.h"

#include <gtest/gtest.h>

#include "base/result.h"

#include "tidewaiter/v1/errors.pb.h"

namespace tidewaiter::rpc {
namespace {

v1::StatusDetails DetailsOf(const grpc::Status& status) {
  v1::StatusDetails details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

v1::ErrorInfo InfoOf(const grpc::Status& status) {
  v1::ErrorInfo info;
  const v1::StatusDetails details = DetailsOf(status);
  EXPECT_GT(details.details_size(), 0);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  EXPECT_TRUE(info.ParseFromString(details.details(0).value()));
  return info;
}

TEST(ErrorDetails, StatusCarriesTheReasonAndSaysTheSameTwice) {
  const grpc::Status status =
      ToStatus(Fail(ErrorCode::kNotFound, "find run 'x': no", "RUN_NOT_FOUND"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(InfoOf(status).reason(), "RUN_NOT_FOUND");
  EXPECT_EQ(InfoOf(status).domain(), "tidewaiter.v1");
  EXPECT_EQ(DetailsOf(status).message(), status.error_message());
  EXPECT_EQ(DetailsOf(status).code(), static_cast<int>(status.error_code()));
}

TEST(ErrorDetails, ReasonDefaultsToTheCodesName) {
  EXPECT_EQ(InfoOf(ToStatus(Fail(ErrorCode::kInternal, "x"))).reason(), "INTERNAL");
}

TEST(ErrorDetails, WhatMayBeTriedAgainSaysWhen) {
  for (const ErrorCode code : {ErrorCode::kResourceExhausted, ErrorCode::kUnavailable}) {
    const v1::StatusDetails details = DetailsOf(ToStatus(Fail(code, "x")));
    ASSERT_EQ(details.details_size(), 2);
    EXPECT_EQ(details.details(1).type_url(), "type.googleapis.com/google.rpc.RetryInfo");
    v1::RetryInfo retry;
    ASSERT_TRUE(retry.ParseFromString(details.details(1).value()));
    EXPECT_GT(retry.retry_delay().seconds(), 0);
  }
  EXPECT_EQ(DetailsOf(ToStatus(Fail(ErrorCode::kInvalidArgument, "x"))).details_size(), 1);
}

TEST(ErrorDetails, DenialHoldsWhatFitsAndCountsTheRest) {
  std::vector<policy::Violation> violations(
      200, {"rule.id", "env['" + std::string(60, 'n') + "']", std::string(300, 'm'), "remedy"});
  const grpc::Status status = DenialStatus(violations);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(InfoOf(status).reason(), "POLICY_DENIED");
  v1::DenialDetails denial;
  ASSERT_TRUE(denial.ParseFromString(DetailsOf(status).details(1).value()));
  EXPECT_EQ(denial.total(), 200U);
  EXPECT_GT(denial.violations_size(), 0);
  EXPECT_LT(denial.violations_size(), 200);
  // In base64, with the message beside it, within the 8 KiB that a client takes.
  EXPECT_LT(status.error_details().size() * 4 / 3 + status.error_message().size() * 3, 8000U);
}

TEST(ErrorDetails, HugeHostileMessageIsCutAndEscaped) {
  const grpc::Status status =
      ToStatus(Fail(ErrorCode::kUnavailable, std::string(100'000, '\xff') + "\x1b[31m"));
  EXPECT_LT(status.error_message().size(), 600U);
  EXPECT_EQ(status.error_message().find('\x1b'), std::string::npos);
}

TEST(ErrorDetails, MissingRoleIsNamed) {
  const grpc::Status status = RoleMissing("bob", "audit");
  EXPECT_EQ(InfoOf(status).reason(), "ROLE_MISSING");
  EXPECT_NE(status.error_message().find("audit"), std::string::npos);
}

}  // namespace
}  // namespace tidewaiter::rpc
