#include "broker/io/duplex_stream.h"

#include <gmock/gmock.h>

#include <atomic>
#include <string>

#include "tests/unit/io/duplex_fixture.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;

class DuplexStreamTest : public DuplexFixture {};

std::string Numbered(std::size_t bytes) {
  std::string text;
  for (int i = 0; text.size() < bytes; ++i) text += std::to_string(i) + "\n";
  text.resize(bytes);
  return text;
}

TEST_F(DuplexStreamTest, CarriesBytesBothWays) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kUpgraded);
    peer.Send("echo " + peer.Read(4));
  });
  const auto stream = Open(server, heard_.Callbacks());
  ASSERT_TRUE(stream) << stream.error().message;
  const std::string_view bytes("\0\r\n\xff", 4);
  EXPECT_EQ((*stream)->Write(Bytes(bytes)), 4U);
  ASSERT_TRUE(heard_.AwaitEnd());
  EXPECT_EQ(heard_.Now().data, "echo " + std::string(bytes));
  EXPECT_EQ(heard_.Now().error, std::nullopt);
  EXPECT_EQ(heard_.Now().ends, 1);
}

TEST_F(DuplexStreamTest, BytesThatCameWithTheHeaderComeFirst) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(std::string(kUpgraded) + "early\r\n\r\n");
    peer.Send("late");
  });
  const auto stream = Open(server, heard_.Callbacks());
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_TRUE(heard_.AwaitEnd());
  EXPECT_EQ(heard_.Now().data, "early\r\n\r\nlate");
}

TEST_F(DuplexStreamTest, NothingIsReadBetweenAPauseAndAResume) {
  const std::string sent = Numbered(1 << 20);
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send(kUpgraded);
    peer.Send(sent);
  });
  std::atomic<bool> paused = false;
  std::atomic<int> while_paused = 0;
  const auto stream = Open(server, heard_.Callbacks([&] {
    if (paused.exchange(true)) ++while_paused;
    return false;
  }));
  ASSERT_TRUE(stream) << stream.error().message;
  for (int pieces = 1; heard_.Await(
           [&](const Heard::State& state) { return state.pieces >= pieces || state.ends > 0; });
       ++pieces) {
    if (heard_.Now().ends > 0) break;
    paused = false;
    (*stream)->Resume();
  }
  EXPECT_EQ(while_paused, 0);
  EXPECT_EQ(heard_.Now().data, sent);
}

TEST_F(DuplexStreamTest, APauseReachesTheSender) {
  Completion<std::size_t> taken;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send(std::string(kUpgraded) + "x");
    peer.Read(1);  // the client has paused
    const std::string much(std::size_t{16} << 20U, 'x');
    taken.Set(peer.SendSome(much));
  });
  const auto stream = Open(server, heard_.Callbacks([] { return false; }));
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_TRUE(heard_.Await([](const Heard::State& state) { return state.pieces == 1; }));
  OnLoop(*loop_, [] {});
  (*stream)->Write(Bytes("x"));
  const auto size = taken.Wait({}, Soon());
  ASSERT_TRUE(size.has_value());
  EXPECT_LT(*size, std::size_t{4} << 20U);  // what the kernel holds
  EXPECT_EQ(heard_.Now().pieces, 1);
}

TEST_F(DuplexStreamTest, APausedStreamWhosePeerIsGoneKeepsTheLoopIdleAndItsDataReadable) {
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send(std::string(kUpgraded) + "first");
    peer.Read(1);
    peer.Send("last words");
  });
  std::atomic<bool> pause = true;
  std::atomic<int> hang_ups = 0;
  auto callbacks = heard_.Callbacks([&] { return !pause; });
  callbacks.on_hang_up = [&] { ++hang_ups; };
  const auto stream = Open(server, std::move(callbacks));
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_TRUE(heard_.Await([](const Heard::State& state) { return state.pieces == 1; }));
  (*stream)->Write(Bytes("x"));
  for (int i = 0; i < 200 && hang_ups == 0; ++i) {  // until the server has closed
    BeatsWithin(*loop_, milliseconds(50));
  }
  ASSERT_GE(hang_ups, 1);
  EXPECT_LE(BeatsWithin(*loop_, milliseconds(100)), 4U);
  EXPECT_EQ(heard_.Now().ends, 0);
  pause = false;
  (*stream)->Resume();
  ASSERT_TRUE(heard_.AwaitEnd());
  EXPECT_EQ(heard_.Now().data, "firstlast words");
}

TEST_F(DuplexStreamTest, WritesAreBoundedAndRoomIsTold) {
  const std::string sent = Numbered(std::size_t{4} << 20U);
  Completion<bool> read;
  Completion<std::string> received;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send(kUpgraded);
    if (read.Wait({}, Soon())) received.Set(peer.ReadAll());
  });
  const auto stream = Open(server, heard_.Callbacks());
  ASSERT_TRUE(stream) << stream.error().message;
  std::size_t at = 0;
  while (at < sent.size()) {
    const int rooms = heard_.Now().rooms;
    const std::size_t taken = (*stream)->Write(Bytes(std::string_view(sent).substr(at)));
    EXPECT_LE(taken, std::size_t{64} << 10U);
    at += taken;
    if (at > std::size_t{1} << 20U) read.Set(true);
    if (taken > 0) continue;
    // The kernel's buffer and the queue are full: nothing moves until the server reads.
    read.Set(true);
    ASSERT_TRUE(heard_.Await([&](const Heard::State& state) { return state.rooms > rooms; }));
  }
  (*stream)->FinishWriting();
  EXPECT_EQ(received.Wait({}, Soon()), sent);
}

TEST_F(DuplexStreamTest, StaysReadableAfterItHasFinishedWriting) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kUpgraded);
    const std::string all = peer.ReadAll();
    peer.Send("after " + all);
  });
  const auto stream = Open(server, heard_.Callbacks());
  ASSERT_TRUE(stream) << stream.error().message;
  (*stream)->Write(Bytes("stdin"));
  (*stream)->FinishWriting();
  ASSERT_TRUE(heard_.AwaitEnd());
  EXPECT_EQ(heard_.Now().data, "after stdin");
  EXPECT_EQ((*stream)->Write(Bytes("too late")), 8U);
}

TEST_F(DuplexStreamTest, StaysWritableAfterTheOtherSideHasFinished) {
  Completion<std::string> received;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send(kUpgraded);
    peer.FinishSending();
    received.Set(peer.ReadAll());
  });
  const auto stream = Open(server, heard_.Callbacks());
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_TRUE(heard_.AwaitEnd());
  (*stream)->Write(Bytes("still here"));
  (*stream)->FinishWriting();
  EXPECT_EQ(received.Wait({}, Soon()), "still here");
}

TEST_F(DuplexStreamTest, WritesToAPeerThatIsGoneAreTakenAndDropped) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kUpgraded);
  });
  const auto stream = Open(server, heard_.Callbacks());
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_TRUE(heard_.AwaitEnd());
  const std::string piece(65536, 'x');
  (*stream)->Write(Bytes(piece));
  OnLoop(*loop_, [] {});
  for (int i = 0; i < 10; ++i) EXPECT_EQ((*stream)->Write(Bytes(piece)), piece.size());
}

TEST_F(DuplexStreamTest, AResetIsAnErrorAfterWhatCameBefore) {
  Completion<bool> written;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send(std::string(kUpgraded) + "before");
    written.Wait({}, Soon());
    peer.Read(1);
  });
  const auto stream = Open(server, heard_.Callbacks());
  ASSERT_TRUE(stream) << stream.error().message;
  const std::string much(std::size_t{60} << 10U, 'x');  // more than the peer reads before it closes
  for (int i = 0; i < 3; ++i) {
    (*stream)->Write(Bytes(much));
    OnLoop(*loop_, [] {});
  }
  written.Set(true);
  ASSERT_TRUE(heard_.AwaitEnd());
  EXPECT_EQ(heard_.Now().data, "before");
  ASSERT_TRUE(heard_.Now().error.has_value());
  EXPECT_EQ(heard_.Now().error->code, ErrorCode::kUnavailable);
}

TEST_F(DuplexStreamTest, CallsNobodyOnceItIsGoneThoughDataFlows) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kUpgraded);
    while (peer.Send(std::string(1000, 'x'))) {
    }
  });
  for (int i = 0; i < 50; ++i) {
    auto calls = std::make_unique<int>(0);  // freed memory where a call comes late
    Completion<bool> flowing;
    auto stream = Open(server, {.on_data =
                                    [&](std::span<const std::byte>) {
                                      ++*calls;
                                      flowing.Set(true);
                                      return true;
                                    },
                                .on_end = [&](const std::optional<Error>&) { ++*calls; },
                                .on_room = [&] { ++*calls; }});
    ASSERT_TRUE(stream) << stream.error().message;
    ASSERT_TRUE(flowing.Wait({}, Soon()));
    (*stream)->Write(Bytes("x"));
    stream->reset();
    calls.reset();
  }
  OnLoop(*loop_, [] {});
}

TEST_F(DuplexStreamTest, IsDestroyedFromItsOwnCallback) {
  Completion<bool> hung_up;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send(kUpgraded);
    peer.Read(1);
    peer.Send("x");
    peer.ReadAll();
    hung_up.Set(true);
  });
  std::unique_ptr<DuplexStream> stream;
  int calls = 0;
  auto opened = Open(server, {.on_data =
                                  [&](std::span<const std::byte>) {
                                    ++calls;
                                    stream.reset();
                                    ++calls;  // what the callback holds is still there
                                    return true;
                                  },
                              .on_end = [&](const std::optional<Error>&) { calls += 100; },
                              .on_room = {}});
  ASSERT_TRUE(opened) << opened.error().message;
  OnLoop(*loop_, [&] { stream = *std::move(opened); });
  OnLoop(*loop_, [&] { stream->Write(Bytes("x")); });
  ASSERT_TRUE(hung_up.Wait({}, Soon()));
  OnLoop(*loop_, [&] { EXPECT_EQ(calls, 2); });
}

TEST_F(DuplexStreamTest, LetsGoOfWhatItsCallbacksHold) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kUpgraded);
    peer.ReadAll();
  });
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  auto stream = Open(
      server, {.on_data = [held = std::move(held)](std::span<const std::byte>) { return true; },
               .on_end = [](const std::optional<Error>&) {},
               .on_room = {}});
  ASSERT_TRUE(stream) << stream.error().message;
  stream->reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace tidewaiter::io
