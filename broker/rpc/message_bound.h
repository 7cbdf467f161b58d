// The size that a request may have. gRPC's own bound ends a call with a status that has no details,
// so it lies at twice this one: a request in between is read, and refused by name. What is larger
// still is gRPC's to refuse, before it is in memory. Pure; any thread.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <optional>

namespace tidewaiter::rpc {

class MessageBound {
 public:
  MessageBound() = default;
  explicit MessageBound(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // For ServerBuilder::SetMaxReceiveMessageSize.
  [[nodiscard]] int transport_bytes() const noexcept;

  // Nothing, or RESOURCE_EXHAUSTED (MESSAGE_TOO_LARGE) without a RetryInfo.
  [[nodiscard]] std::optional<grpc::Status> Refusal(
      const google::protobuf::MessageLite& message) const;
  // Of a request of so many bytes.
  [[nodiscard]] std::optional<grpc::Status> Refusal(std::size_t bytes) const;

 private:
  std::size_t max_bytes_ = std::size_t{4} << 20U;
};

}  // namespace tidewaiter::rpc
