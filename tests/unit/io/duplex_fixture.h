// A loop, a scripted server and what a stream's callbacks were told.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/guarded.h"
#include "broker/io/duplex_stream.h"
#include "tests/support/scripted_server.h"
#include "tests/unit/io/on_loop.h"

namespace tidewaiter::io {

inline constexpr std::string_view kUpgraded =
    "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

inline std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline std::string_view Text(std::span<const std::byte> bytes) {
  return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

// What callbacks said, and waiting for it.
class Heard {
 public:
  struct State {
    std::string data;
    int pieces = 0;
    int rooms = 0;
    int ends = 0;
    std::optional<Error> error;
  };

  // `keep_reading`: what on_data answers.
  DuplexStream::Callbacks Callbacks(std::function<bool()> keep_reading = [] { return true; }) {
    return {.on_data =
                [this, keep_reading](std::span<const std::byte> data) {
                  const bool keep = keep_reading();
                  Change([&](State& state) {
                    state.data += Text(data);
                    ++state.pieces;
                  });
                  return keep;
                },
            .on_end =
                [this](std::optional<Error> error) {
                  Change([&](State& state) {
                    ++state.ends;
                    state.error = std::move(error);
                  });
                },
            .on_room = [this] { Change([](State& state) { ++state.rooms; }); }};
  }

  [[nodiscard]] bool Await(const std::function<bool(const State&)>& ready) {
    auto state = state_.Lock();
    return state.Wait(changed_, {}, Soon(), [&] { return ready(*state); });
  }
  [[nodiscard]] bool AwaitEnd() {
    return Await([](const State& state) { return state.ends > 0; });
  }
  State Now() { return *state_.Lock(); }

 private:
  void Change(const std::function<void(State&)>& change) {
    change(*state_.Lock());
    changed_.notify_all();
  }
  Guarded<State> state_;
  std::condition_variable_any changed_;
};

class DuplexFixture : public ::testing::Test {
 protected:
  using Server = tidewaiter::testing::ScriptedServer;
  using Peer = tidewaiter::testing::ScriptedConnection;

  DuplexFixture() : loop_(StartLoop()) {}

  Result<std::unique_ptr<DuplexStream>> Open(const Server& server,
                                             DuplexStream::Callbacks callbacks) {
    return DuplexStream::Open(*loop_, server.socket_path(), "/attach", std::move(callbacks), {},
                              Soon());
  }

  const std::unique_ptr<EventLoop> loop_;
  Heard heard_;
};

}  // namespace tidewaiter::io
