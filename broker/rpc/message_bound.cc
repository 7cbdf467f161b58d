#include "broker/rpc/message_bound.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/result.h"
#include "broker/rpc/error_details.h"

namespace tidewaiter::rpc {

int MessageBound::transport_bytes() const noexcept {
  constexpr std::size_t kMost = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(max_bytes_, kMost / 2) * 2);
}

std::optional<grpc::Status> MessageBound::Refusal(
    const google::protobuf::MessageLite& message) const {
  return Refusal(message.ByteSizeLong());
}

std::optional<grpc::Status> MessageBound::Refusal(std::size_t bytes) const {
  if (bytes <= max_bytes_) return std::nullopt;
  return PermanentStatus(
      Fail(ErrorCode::kResourceExhausted,
           fmt::format("read a request: it has {} bytes, {} are allowed", bytes, max_bytes_),
           "MESSAGE_TOO_LARGE"));
}

}  // namespace tidewaiter::rpc
