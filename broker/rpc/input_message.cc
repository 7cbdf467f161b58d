#include "broker/rpc/input_message.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <memory>
#include <utility>

#include "wire/input_piece.h"

namespace tidewaiter::rpc {
namespace {

// Below it a copy is cheaper than what a few bytes would keep in memory: all that came with them.
constexpr std::size_t kWorthSharing = std::size_t{16} << 10U;

}  // namespace

std::optional<run::UploadPiece> ReadInputMessage(const grpc::ByteBuffer& message) {
  // The same bytes, by reference: an owner of its own, whatever becomes of `message`.
  const auto owner = std::make_shared<grpc::ByteBuffer>(message);
  grpc::ProtoBufferReader reader(owner.get());
  if (!reader.status().ok()) return std::nullopt;
  auto read = wire::ReadInputPiece(reader, owner->Length());
  if (!read) return std::nullopt;
  run::UploadPiece piece{.name = std::move(read->name),
                         .data = SharedBytes(std::move(read->data), owner),
                         .last = read->last};
  if (piece.data.size() < kWorthSharing) piece.data = SharedBytes(piece.data.Joined());
  return piece;
}

}  // namespace tidewaiter::rpc
