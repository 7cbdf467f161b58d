// gRPC's side of one Broker.Run call: reads, writes, cancellation, on gRPC's threads. Every
// reaction is noexcept: gRPC would swallow an exception and leave the stream hanging.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>

#include "broker/rpc/identity.h"
#include "broker/rpc/run_stream.h"

namespace tidewaiter::rpc {

// Of messages as they are on the wire: what is uploaded is taken out of them without a copy.
using RunReactorBase = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

class RunReactor final : public RunReactorBase, private StreamPort {
 public:
  // Owns itself until gRPC is done with it.
  static RunReactorBase* Start(grpc::CallbackServerContext& context, Identity identity,
                               RunStream::Launcher launcher, RunStream::Settings settings);

  RunReactor(grpc::CallbackServerContext& context, Identity identity, RunStream::Launcher launcher,
             RunStream::Settings settings);

  void OnReadDone(bool ok) noexcept override;
  void OnWriteDone(bool ok) noexcept override { stream_->OnWritten(ok); }
  void OnCancel() noexcept override { stream_->OnCancelled(); }
  void OnDone() noexcept override;

 private:
  void Read() override { StartRead(&request_); }
  void Write(const v1::RunEvent& event) override;
  void Finish(const grpc::Status& status) override { RunReactorBase::Finish(status); }
  void Cancel() override { context_.TryCancel(); }
  void Linger(std::chrono::milliseconds time) override;

  grpc::CallbackServerContext& context_;
  const ConnectionTable::Lease lease_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer event_;
  std::shared_ptr<RunStream> stream_;
  std::shared_ptr<RunReactor> self_;
  grpc::Alarm alarm_;
};

}  // namespace tidewaiter::rpc
