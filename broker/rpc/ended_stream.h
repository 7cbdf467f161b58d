// Reactors of calls that end before they begin.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>

namespace tidewaiter::rpc {

// `Reactor` is grpc::ServerBidiReactor<...> or grpc::ServerWriteReactor<...>. Owns itself until
// gRPC is done with it.
template <typename Reactor>
class EndedStream final : public Reactor {
 public:
  static Reactor* With(const grpc::Status& status) {
    auto reactor = std::make_shared<EndedStream>();
    reactor->self_ = reactor;
    reactor->Finish(status);
    return reactor.get();
  }
  void OnDone() noexcept override { const std::shared_ptr<EndedStream> last = std::move(self_); }

 private:
  std::shared_ptr<EndedStream> self_;
};

}  // namespace tidewaiter::rpc
