#include "broker/rpc/message_bound.h"

#include <gtest/gtest.h>

#include <limits>

#include "tidewaiter/v1/broker.pb.h"
#include "tidewaiter/v1/errors.pb.h"

namespace tidewaiter::rpc {
namespace {

v1::GetRequest OfSize(std::size_t bytes) {
  v1::GetRequest request;
  request.set_run_id(std::string(bytes - 2, 'x'));  // tag and length
  return request;
}

TEST(MessageBoundTest, MessageOfTheLargestSizePasses) {
  EXPECT_FALSE(MessageBound(100).Refusal(OfSize(100)));
}

TEST(MessageBoundTest, LargerMessageIsRefusedByNameForGood) {
  const auto refusal = MessageBound(100).Refusal(OfSize(101));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refusal->error_message(), "read a request: it has 101 bytes, 100 are allowed");
  v1::StatusDetails details;
  ASSERT_TRUE(details.ParseFromString(refusal->error_details()));
  ASSERT_EQ(details.details_size(), 1) << "a RetryInfo would ask for the same again";
  v1::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(details.details(0).value()));
  EXPECT_EQ(info.reason(), "MESSAGE_TOO_LARGE");
}

TEST(MessageBoundTest, TransportTakesTwiceThat) {
  EXPECT_EQ(MessageBound(100).transport_bytes(), 200);
  EXPECT_GT(MessageBound(std::numeric_limits<std::size_t>::max()).transport_bytes(), 0);
}

}  // namespace
}  // namespace tidewaiter::rpc
