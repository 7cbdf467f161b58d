// A stream to a client that one thread writes while gRPC's threads report: Send blocks until the
// message has left, which is the backpressure of a slow client.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/guarded.h"
#include "broker/rpc/connection_table.h"

namespace tidewaiter::rpc {

template <typename Message>
class BlockingStream final : public grpc::ServerWriteReactor<Message> {
 public:
  struct Settings {
    // A client that takes nothing for so long is cancelled.
    std::chrono::milliseconds stall{std::chrono::seconds(30)};
    // Asked before each message: a reload may have withdrawn the caller's right while it follows.
    std::function<bool()> may_read;
  };

  // Owns itself until gRPC is done with it, as `context` lives until then. `stop_all` ends the
  // stream like a cancelled call; `lease` is held for as long as it lasts.
  static std::shared_ptr<BlockingStream> Make(grpc::CallbackServerContext& context,
                                              ConnectionTable::Lease lease, Settings settings,
                                              const std::stop_token& stop_all) {
    auto stream =
        std::make_shared<BlockingStream>(context, std::move(lease), std::move(settings), stop_all);
    stream->self_ = stream;
    return stream;
  }
  BlockingStream(grpc::CallbackServerContext& context, ConnectionTable::Lease lease,
                 Settings settings, const std::stop_token& stop_all)
      : context_(context),
        lease_(std::move(lease)),
        settings_(std::move(settings)),
        on_stop_all_(stop_all, RequestStop{stop_}) {}

  // The writing thread's. False: the caller may not read any more; or nobody listens, or takes
  // nothing; the call is cancelled then, for a status would wait behind the message that is not
  // taken.
  bool Send(Message message) {
    if (stop_.stop_requested() || !settings_.may_read()) return false;
    message_ = std::move(message);
    *written_.Lock() = std::nullopt;
    this->StartWrite(&message_);
    const auto answered = [this](Deadline deadline) {
      auto written = written_.Lock();
      return written.Wait(changed_, std::stop_token(), deadline,
                          [&] { return written->has_value(); });
    };
    // Without the stop token: gRPC answers every write, of a cancelled call too, and `message_` is
    // its until then.
    if (!answered(Deadline::After(settings_.stall))) {
      stop_.request_stop();
      context_.TryCancel();
      answered(Deadline::Never());
    }
    return written_.Lock()->value_or(false) && !stop_.stop_requested();
  }
  // Any thread: the writer is to end.
  void Stop() noexcept { stop_.request_stop(); }
  // Stopped when the call is over.
  [[nodiscard]] std::stop_token stop() const { return stop_.get_token(); }

  void OnWriteDone(bool ok) noexcept override {
    *written_.Lock() = ok;
    changed_.notify_all();
  }
  void OnCancel() noexcept override { stop_.request_stop(); }
  void OnDone() noexcept override {
    stop_.request_stop();
    const std::shared_ptr<BlockingStream> last = std::move(self_);
  }

 private:
  struct RequestStop {
    std::stop_source stop;
    void operator()() const noexcept { static_cast<void>(std::stop_source(stop).request_stop()); }
  };

  grpc::CallbackServerContext& context_;
  const ConnectionTable::Lease lease_;
  const Settings settings_;
  std::stop_source stop_;
  const std::stop_callback<RequestStop> on_stop_all_;
  Message message_;
  Guarded<std::optional<bool>> written_;  // of the write under way
  std::condition_variable_any changed_;
  std::shared_ptr<BlockingStream> self_;
};

}  // namespace tidewaiter::rpc
