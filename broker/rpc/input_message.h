// The messages that most of a stream's bytes come in: RunRequest.input, read where gRPC has put
// them, without a copy. Pure; any thread.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <optional>

#include "broker/run/upload_source.h"

namespace tidewaiter::rpc {

// Nothing where it is any other message, or one written in another way than the usual (a field
// twice or unknown, a name that is long or not ASCII): those are protobuf's to parse, and what they
// are is its to say. `message` is left as it is; what is returned refers to its bytes.
std::optional<run::UploadPiece> ReadInputMessage(const grpc::ByteBuffer& message);

}  // namespace tidewaiter::rpc
