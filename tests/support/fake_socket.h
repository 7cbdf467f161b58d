// A WebSocket by script: what comes, one message after another, and then its end.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/io/websocket.h"

namespace tidewaiter::testing {

class FakeSocket final : public io::WebSocket {
 public:
  // `broken`: how it ends; with a Close frame where it is empty. `on_send`: gets what is
  // sent.
  explicit FakeSocket(std::deque<std::string> messages, std::optional<Error> broken = {},
                      std::function<void(std::string_view)> on_send = {})
      : messages_(std::move(messages)), broken_(std::move(broken)), on_send_(std::move(on_send)) {}

  Result<Event> Receive(const std::stop_token& stop, Deadline /*deadline*/) override {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "receive: stopped");
    if (messages_.empty()) {
      if (broken_) return *broken_;
      return Event{.kind = Event::Kind::kClosed, .code = 1000};
    }
    current_ = std::move(messages_.front());
    messages_.pop_front();
    return Event{.data = std::as_bytes(std::span(current_)), .begins = true, .ends = true};
  }
  bool Send(std::span<const std::byte> message) override {
    if (on_send_) on_send_({reinterpret_cast<const char*>(message.data()), message.size()});
    return true;
  }
  void Wake() noexcept override {}
  Result<void> Close(const std::stop_token& /*stop*/, Deadline /*deadline*/) override {
    return Ok();
  }

 private:
  std::deque<std::string> messages_;
  std::string current_;
  const std::optional<Error> broken_;
  const std::function<void(std::string_view)> on_send_;
};

}  // namespace tidewaiter::testing
