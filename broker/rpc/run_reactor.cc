#include "broker/rpc/run_reactor.h"

#include <grpc/support/log.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <utility>

#include "broker/rpc/input_message.h"

namespace tidewaiter::rpc {
namespace {

template <typename Message>
using Traits = grpc::SerializationTraits<Message>;

}  // namespace

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

void RunReactor::OnReadDone(bool ok) noexcept {
  if (!ok) return stream_->OnReadEnd();
  // Most streams never say more than one thing.
  grpc::ByteBuffer message;
  message.Swap(&request_);
  const std::size_t bytes = message.Length();
  if (auto piece = ReadInputMessage(message)) return stream_->OnInput(*std::move(piece), bytes);
  v1::RunRequest request;
  if (Traits<v1::RunRequest>::Deserialize(&message, &request).ok()) {
    stream_->OnRead(std::move(request), bytes);
  } else {
    stream_->OnUnreadable();
  }
}

void RunReactor::Write(const v1::RunEvent& event) {
  bool own_buffer = false;
  event_.Clear();
  // It fails only where there is no memory left, of which gRPC makes an end of the process itself.
  const auto written = Traits<v1::RunEvent>::Serialize(event, &event_, &own_buffer);
  GPR_ASSERT(written.ok());
  StartWrite(&event_);
}

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
