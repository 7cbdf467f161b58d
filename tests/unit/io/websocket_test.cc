#include "broker/io/websocket.h"

#include <gmock/gmock.h>

#include <chrono>
#include <string>
#include <thread>

#include "base/completion.h"
#include "tests/unit/io/websocket_fixture.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;
using ::testing::StartsWith;

constexpr std::size_t kMegabyte = std::size_t{1} << 20U;
constexpr unsigned kCloseFrame = 0x88;

class WebSocketTest : public WebSocketFixture {
 protected:
  // How reading ends where the server sends these bytes, and what was read before.
  static std::string EndOf(std::string bytes, std::string* data = nullptr) {
    Server server(Agreeing([bytes = std::move(bytes)](Peer& peer) {
      peer.Send(bytes);
      peer.FinishSending();
      peer.ReadAll();
    }));
    const auto socket = SocketTo(To(server));
    std::string read;
    return socket ? ReadToTheEnd(*socket, data == nullptr ? read : *data) : "not opened";
  }
  static WebSocket::Event Next(WebSocket& socket) {
    Result<WebSocket::Event> event = socket.Receive({}, Soon());
    EXPECT_TRUE(event) << event.error().message;
    return std::move(event).value_or(WebSocket::Event{.kind = Kind::kClosed});
  }
  // The request of a server that agrees and then reads nothing, and a socket that is full.
  static std::unique_ptr<WebSocket> Filled(const Server& server) {
    auto socket = SocketTo(To(server));
    const std::string much(4 * kMegabyte, 'x');
    EXPECT_TRUE(socket->Send(BytesOf(much)));
    EXPECT_FALSE(socket->Send(BytesOf("more")));
    return socket;
  }
};

TEST_F(WebSocketTest, ReadsMessagesInPiecesAndTheClose) {
  Server server(Agreeing([](Peer& peer) {
    peer.Send(ServerFrame(Opcode::kBinary, "he", false) +
              ServerFrame(Opcode::kContinuation, "llo") + ServerFrame(Opcode::kText, "t") +
              ServerFrame(Opcode::kClose, "\x03\xe8gone"));
    peer.ReadAll();
  }));
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  WebSocket::Event event = Next(*socket);
  EXPECT_EQ(event.kind, Kind::kData);
  EXPECT_EQ(event.data.size(), 2U);
  EXPECT_TRUE(event.begins);
  EXPECT_FALSE(event.ends || event.text);
  event = Next(*socket);
  EXPECT_EQ(event.data.size(), 3U);
  EXPECT_FALSE(event.begins || event.text);
  EXPECT_TRUE(event.ends);
  EXPECT_TRUE(Next(*socket).text);
  for (int again = 0; again < 2; ++again) {
    event = Next(*socket);
    EXPECT_EQ(event.kind, Kind::kClosed);
    EXPECT_EQ(event.code, 1000);
    EXPECT_EQ(event.reason, "gone");
  }
}

TEST_F(WebSocketTest, ReadsMegabytesInFragments) {
  constexpr std::size_t kPart = 60000;
  constexpr std::size_t kParts = 8 * kMegabyte / kPart + 1;
  Server server(Agreeing([](Peer& peer) {
    for (std::size_t i = 0; i < kParts; ++i) {
      const std::string part(kPart, static_cast<char>('a' + i % 26));
      peer.Send(
          ServerFrame(i == 0 ? Opcode::kBinary : Opcode::kContinuation, part, i + 1 == kParts));
    }
    peer.Send(ServerFrame(Opcode::kClose, ""));
    peer.ReadAll();
  }));
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  std::string expected;
  for (std::size_t i = 0; i < kParts; ++i) expected.append(kPart, static_cast<char>('a' + i % 26));
  std::string data;
  EXPECT_EQ(ReadToTheEnd(*socket, data), "1005 ");
  EXPECT_TRUE(data == expected);
}

TEST_F(WebSocketTest, APingIsAnswered) {
  Completion<ClientFrame> answer;
  Server server(Agreeing([&](Peer& peer) {
    peer.Send(ServerFrame(Opcode::kPing, "there?"));
    answer.Set(ReadFrame(peer));
    peer.Send(ServerFrame(Opcode::kClose, ""));
    peer.ReadAll();
  }));
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  EXPECT_EQ(Next(*socket).kind, Kind::kClosed);
  EXPECT_EQ(answer.Peek()->first, 0x8AU);
  EXPECT_EQ(answer.Peek()->payload, "there?");
}

TEST_F(WebSocketTest, ACloseIsAnsweredByTheSame) {
  Completion<ClientFrame> answer;
  Server server(Agreeing([&](Peer& peer) {
    peer.Send(ServerFrame(Opcode::kClose, "\x03\xf3why"));
    answer.Set(ReadFrame(peer));
  }));
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  EXPECT_EQ(Next(*socket).code, 1011);
  const auto frame = answer.Wait({}, Soon());
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->first, kCloseFrame);
  EXPECT_EQ(frame->payload, "\x03\xf3");
}

TEST_F(WebSocketTest, WhatNoServerMaySendIsTheEnd) {
  std::string data;
  EXPECT_THAT(EndOf(ServerFrame(Opcode::kBinary, "good") + "\x82\x81"
                                                           "abcdx",
                    &data),
              StartsWith("INTERNAL: use the WebSocket: not WebSocket: a masked frame"));
  EXPECT_EQ(data, "good");
}

TEST_F(WebSocketTest, AnErrorStays) {
  Server server(Agreeing([](Peer& peer) {
    peer.Send("\xff\xff");
    peer.ReadAll();
  }));
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  const Result<WebSocket::Event> first = socket->Receive({}, Soon());
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, ErrorCode::kInternal);
  EXPECT_EQ(first.error(), socket->Receive({}, Soon()).error());
  EXPECT_EQ(first.error(), socket->Close({}, Soon()).error());
  EXPECT_TRUE(socket->Send(BytesOf("into the void")));
}

TEST_F(WebSocketTest, AnEndWithoutACloseIsBroken) {
  EXPECT_EQ(EndOf(""),
            "UNAVAILABLE: use the WebSocket: the connection ended without a Close frame");
  EXPECT_THAT(EndOf(ServerFrame(Opcode::kBinary, "cut").substr(0, 4)), StartsWith("UNAVAILABLE"));
}

TEST_F(WebSocketTest, AResetIsBroken) {
  Completion<bool> sent;
  Server server(Agreeing([&](Peer& peer) {
    peer.Read(1);  // and leaves the rest unread, which makes its closing a reset
    sent.Wait({}, Soon());
  }));
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  ASSERT_TRUE(socket->Send(BytesOf(std::string(200000, 'x'))));
  sent.Set(true);
  const Result<WebSocket::Event> event = socket->Receive({}, Soon());
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code, ErrorCode::kUnavailable) << event.error().message;
}

TEST_F(WebSocketTest, ASilentServerIsLeftAtTheDeadlineAndMayBeHeardAfter) {
  Completion<bool> waited;
  Server server(Agreeing([&](Peer& peer) {
    waited.Wait({}, Soon());
    peer.Send(ServerFrame(Opcode::kBinary, "late"));
    peer.ReadAll();
  }));
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  const auto event = socket->Receive({}, Deadline::After(milliseconds(20)));
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().Reason(), "DEADLINE_EXCEEDED");
  waited.Set(true);
  EXPECT_EQ(Next(*socket).data.size(), 4U);
}

// However many are there to be read.
TEST_F(WebSocketTest, AServerThatSendsNothingButPingsIsLeftAtTheDeadline) {
  Completion<bool> sent;
  Server server(Agreeing([&](Peer& peer) {
    std::string pings;
    for (int i = 0; i < 300; ++i) pings += ServerFrame(Opcode::kPing, std::string(125, 'p'));
    peer.Send(pings + ServerFrame(Opcode::kBinary, "x"));
    sent.Set(true);
    peer.ReadAll();
  }));
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  ASSERT_TRUE(sent.Wait({}, Soon()));
  const auto event = socket->Receive({}, Deadline::After(milliseconds(0)));
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().Reason(), "DEADLINE_EXCEEDED");
  EXPECT_EQ(Next(*socket).data.size(), 1U);
}

TEST_F(WebSocketTest, AServerThatIsSilentForLongerThanTheRequestBearsIsLeft) {
  Server server(Agreeing([](Peer& peer) { peer.ReadAll(); }));
  HttpRequest request = To(server);
  request.silence = milliseconds(50);
  const auto socket = SocketTo(request);
  ASSERT_TRUE(socket);
  const auto event = socket->Receive({}, Deadline::Never());
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().Reason(), "SILENT");
}

TEST_F(WebSocketTest, AStopTokenEndsReading) {
  std::stop_source stop;
  Server server(Agreeing([&](Peer& peer) {
    ReadFrame(peer);
    stop.request_stop();
    peer.ReadAll();
  }));
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  ASSERT_TRUE(socket->Send(BytesOf("stop")));
  const auto event = socket->Receive(stop.get_token(), Deadline::Never());
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code, ErrorCode::kCancelled);
}

TEST_F(WebSocketTest, WakingEndsOneWait) {
  Server server(Agreeing([](Peer& peer) { peer.ReadAll(); }));
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  socket->Wake();
  EXPECT_EQ(Next(*socket).kind, Kind::kWoken);
  const std::jthread waker([&] { socket->Wake(); });
  EXPECT_EQ(Next(*socket).kind, Kind::kWoken);
  EXPECT_FALSE(socket->Receive({}, Deadline::After(milliseconds(5))));
}

TEST_F(WebSocketTest, WritesToAServerThatReadsNothingEndAtTheDeadlineOrStop) {
  Completion<bool> done;
  Server server(Agreeing([&](Peer&) { done.Wait({}, Soon()); }));
  const auto socket = Filled(server);
  const auto event = socket->Receive({}, Deadline::After(milliseconds(20)));
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().Reason(), "DEADLINE_EXCEEDED");
  const Result<void> closed = socket->Close({}, Deadline::After(milliseconds(20)));
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, ErrorCode::kDeadlineExceeded);
  std::stop_source stop;
  const std::jthread stopper([&] { stop.request_stop(); });
  const Result<void> stopped = socket->Close(stop.get_token(), Deadline::Never());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  done.Set(true);
}

TEST_F(WebSocketTest, RoomIsToldOnceTheServerReads) {
  Completion<bool> full;
  Completion<std::string> second;
  Server server(Agreeing([&](Peer& peer) {
    full.Wait({}, Soon());
    ReadFrame(peer);
    second.Set(ReadFrame(peer).payload);
  }));
  const auto socket = Filled(server);
  full.Set(true);
  EXPECT_EQ(Next(*socket).kind, Kind::kRoom);
  EXPECT_TRUE(socket->Send(BytesOf("second")));
  EXPECT_EQ(second.Wait({}, Soon()), "second");
}

// Neither reads before the other has: data keeps coming while a message waits to be sent.
TEST_F(WebSocketTest, IsReadWhileItsWritingWaits) {
  Completion<std::size_t> read;
  Server server(Agreeing([&](Peer& peer) {
    const std::string part(60000, 'y');
    for (int i = 0; i < 100; ++i) peer.Send(ServerFrame(Opcode::kBinary, part));
    read.Set(ReadFrame(peer).payload.size());
    peer.Send(ServerFrame(Opcode::kClose, ""));
    peer.ReadAll();
  }));
  const auto socket = Filled(server);
  std::string data;
  EXPECT_EQ(ReadToTheEnd(*socket, data), "1005 ");
  EXPECT_EQ(data.size(), 6000000U);
  EXPECT_EQ(read.Peek(), 4 * kMegabyte);
}

// Only the last is answered, so that pings of a server that does not read fill no memory.
TEST_F(WebSocketTest, PingsWaitForTheMessageThatIsBeingSent) {
  Completion<bool> full;
  Completion<bool> first;
  Completion<bool> heard;
  Completion<ClientFrame> message;
  Completion<ClientFrame> pong;
  Server server(Agreeing([&](Peer& peer) {
    full.Wait({}, Soon());
    peer.Send(ServerFrame(Opcode::kPing, "1"));
    first.Set(true);
    heard.Wait({}, Soon());
    peer.Send(ServerFrame(Opcode::kPing, "2") + ServerFrame(Opcode::kBinary, "x"));
    message.Set(ReadFrame(peer));
    pong.Set(ReadFrame(peer));
    peer.Send(ServerFrame(Opcode::kClose, ""));
    peer.ReadAll();
  }));
  const auto socket = Filled(server);
  full.Set(true);
  ASSERT_TRUE(first.Wait({}, Soon()));
  EXPECT_FALSE(socket->Receive({}, Deadline::After(milliseconds(20))));
  heard.Set(true);
  std::string data;
  EXPECT_EQ(ReadToTheEnd(*socket, data), "1005 ");
  EXPECT_EQ(message.Peek()->first, 0x82U);
  EXPECT_EQ(pong.Peek()->first, 0x8AU);
  EXPECT_EQ(pong.Peek()->payload, "2");
}

TEST_F(WebSocketTest, WhatWasSentBeforeClosingArrivesWhole) {
  Completion<bool> full;
  Completion<ClientFrame> close;
  Completion<std::size_t> bytes;
  Server server(Agreeing([&](Peer& peer) {
    full.Wait({}, Soon());
    std::size_t got = 0;
    ClientFrame frame = ReadFrame(peer);
    for (; frame.first == 0x82; frame = ReadFrame(peer)) got += frame.payload.size();
    bytes.Set(got);
    close.Set(frame);
    peer.Send(ServerFrame(Opcode::kBinary, "unread") + ServerFrame(Opcode::kClose, "\x03\xe8"));
  }));
  auto socket = Filled(server);
  full.Set(true);
  const Result<void> closed = socket->Close({}, Soon());
  EXPECT_TRUE(closed) << closed.error().message;
  socket.reset();
  EXPECT_EQ(bytes.Peek(), 4 * kMegabyte);
  EXPECT_EQ(close.Peek()->first, kCloseFrame);
  EXPECT_EQ(close.Peek()->payload, "\x03\xe8");
}

TEST_F(WebSocketTest, AnEndIsAsGoodAsACloseOnceOursIsSentButNotBefore) {
  Server reading(Agreeing([](Peer& peer) { ReadFrame(peer); }));
  EXPECT_TRUE(SocketTo(To(reading))->Close({}, Soon()));
  Server leaving(Agreeing([](Peer&) {}));
  const auto socket = SocketTo(To(leaving));
  ASSERT_TRUE(socket);
  socket->Send(BytesOf(std::string(4 * kMegabyte, 'x')));
  const Result<void> closed = socket->Close({}, Soon());
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, ErrorCode::kUnavailable);
}

TEST_F(WebSocketTest, NothingIsSentAfterTheOtherSideHasClosed) {
  Completion<std::string> after;
  Server server(Agreeing([&](Peer& peer) {
    peer.Send(ServerFrame(Opcode::kClose, ""));
    ReadFrame(peer);
    after.Set(peer.ReadAll());
  }));
  auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  EXPECT_EQ(Next(*socket).kind, Kind::kClosed);
  EXPECT_TRUE(socket->Send(BytesOf("late")));
  EXPECT_TRUE(socket->Close({}, Soon()));
  socket.reset();
  EXPECT_EQ(after.Wait({}, Soon()), "");
}

}  // namespace
}  // namespace tidewaiter::io
