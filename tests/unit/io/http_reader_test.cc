#include "broker/io/http_reader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "tests/support/scripted_server.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::tidewaiter::testing::ScriptedConnection;
using ::tidewaiter::testing::ScriptedServer;

Deadline Soon() {
  return Deadline::After(seconds(20));
}

// The whole body of an answer that is `raw`.
Result<std::string> Body(const std::string& raw) {
  ScriptedServer server([&](ScriptedConnection& peer) {
    peer.ReadHead();
    peer.Send(raw);
    peer.FinishSending();
    peer.ReadAll();
  });
  TW_ASSIGN(HttpReader reader, HttpReader::Get(server.socket_path(), "/x", {}, Soon()));
  std::string body;
  for (;;) {
    TW_ASSIGN(const bool more, reader.Read([&](std::string_view data) { body += data; }, Soon()));
    if (!more) return body;
  }
}

std::optional<ErrorCode> CodeOf(const std::string& raw) {
  const Result<std::string> body = Body(raw);
  if (body) return std::nullopt;
  return body.error().code;
}

TEST(HttpReaderTest, BodyInChunksIsRead) {
  EXPECT_EQ(Body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
            "abc");
}

TEST(HttpReaderTest, BodyOfALengthIsReadToItAndNoFurther) {
  EXPECT_EQ(Body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef"), "abc");
  EXPECT_EQ(Body("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "");
}

TEST(HttpReaderTest, AnswerThatIsCutOffIsAnError) {
  EXPECT_EQ(CodeOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf("HTTP/1.1 200 OK\r\nContent-"), ErrorCode::kUnavailable);
}

TEST(HttpReaderTest, AnswerThatDoesNotTellItsEndIsRefused) {
  EXPECT_EQ(CodeOf("HTTP/1.1 200 OK\r\n\r\nabc"), ErrorCode::kInternal);
  EXPECT_EQ(CodeOf("HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\nabc"), ErrorCode::kInternal);
}

TEST(HttpReaderTest, BrokenChunksAreAnError) {
  EXPECT_EQ(CodeOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            ErrorCode::kInternal);
}

TEST(HttpReaderTest, RefusalIsReadWithItsText) {
  ScriptedServer server([](ScriptedConnection& peer) {
    peer.ReadHead();
    peer.Answer(404, "no such thing");
  });
  auto reader = HttpReader::Get(server.socket_path(), "/x", {}, Soon());
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  EXPECT_EQ(reader->status(), 404);
  EXPECT_EQ(reader->refusal(), "no such thing");
  EXPECT_EQ(reader->Read([](std::string_view) {}, Soon()), false);
}

TEST(HttpReaderTest, WhatIsNotReadHoldsTheOtherSideUp) {
  std::size_t sent = 0;
  std::atomic<bool> stopped{false};
  ScriptedServer server([&](ScriptedConnection& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    const std::string block(std::size_t{1} << 16U, 'x');
    for (std::size_t some = 1; some > 0; sent += some) some = peer.SendSome(block);
    stopped = true;
    stopped.notify_all();
    peer.FinishSending();
    peer.ReadAll();
  });
  auto reader = HttpReader::Get(server.socket_path(), "/x", {}, Soon());
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  stopped.wait(false);
  Result<bool> more = true;
  std::size_t got = 0;
  while (more && *more) {
    more = reader->Read([&](std::string_view data) { got += data.size(); }, Soon());
  }
  EXPECT_EQ(got, sent);  // it had stopped at what the socket holds
  EXPECT_LT(got, std::size_t{8} << 20U);
}

TEST(HttpReaderTest, StopEndsAReadThatWaits) {
  ScriptedServer server([](ScriptedConnection& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
    peer.ReadAll();
  });
  std::stop_source stop;
  auto reader = HttpReader::Get(server.socket_path(), "/x", stop.get_token(), Soon());
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  stop.request_stop();
  const auto read = reader->Read([](std::string_view) {}, Soon());
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kCancelled);
}

TEST(HttpReaderTest, DeadlineEndsAReadThatWaits) {
  ScriptedServer server([](ScriptedConnection& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
    peer.ReadAll();
  });
  auto reader = HttpReader::Get(server.socket_path(), "/x", {}, Soon());
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  const auto read = reader->Read([](std::string_view) {}, Deadline::After(milliseconds(20)));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(HttpReaderTest, NobodyListeningIsToldApart) {
  const auto reader = HttpReader::Get("/nowhere/engine.sock", "/x", {}, Soon());
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().Reason(), "CONNECT_FAILED");
}

TEST(HttpReaderTest, TargetThatCannotBeSentIsRefused) {
  for (const std::string target : {"", "x", "/a b", "/a\r\nHost: other"}) {
    const auto reader = HttpReader::Get("/nowhere/engine.sock", target, {}, Soon());
    ASSERT_FALSE(reader.has_value());
    EXPECT_EQ(reader.error().code, ErrorCode::kInvalidArgument) << target;
  }
}

}  // namespace
}  // namespace tidewaiter::io
