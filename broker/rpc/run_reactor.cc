#include "broker/rpc/run_reactor.h"

#include <utility>

namespace tidewaiter::rpc {

RunReactorBase* RunReactor::Start(grpc::CallbackServerContext& context, Identity identity,
                                  RunStream::Launcher launcher, RunStream::Settings settings) {
  auto reactor =
      std::make_shared<RunReactor>(context, std::move(identity), std::move(launcher), settings);
  reactor->self_ = reactor;
  reactor->stream_->Open(*reactor);
  return reactor.get();
}

RunReactor::RunReactor(grpc::CallbackServerContext& context, Identity identity,
                       RunStream::Launcher launcher, RunStream::Settings settings)
    : context_(context),
      lease_(std::move(identity.lease)),
      stream_(
          std::make_shared<RunStream>(std::move(launcher), std::move(identity.caller), settings)) {}

// The alarm's callback may come after the call is over: it holds the stream, not the reactor.
void RunReactor::Linger(std::chrono::milliseconds time) {
  alarm_.Set(std::chrono::system_clock::now() + time, [stream = stream_](bool rang) {
    if (rang) stream->OnLingered();
  });
}

void RunReactor::OnDone() noexcept {
  alarm_.Cancel();
  const std::shared_ptr<RunReactor> last = std::move(self_);
}

}  // namespace tidewaiter::rpc
