// How a stream opens, and what happens where it does not.
#include <gmock/gmock.h>

#include <string>

#include "tests/unit/io/duplex_fixture.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class DuplexOpenTest : public DuplexFixture {
 protected:
  // The error of opening where the server answers with these bytes and closes.
  Error ErrorOf(std::string bytes) {
    Server server([bytes = std::move(bytes)](Peer& peer) {
      peer.ReadHead();
      peer.Send(bytes);
    });
    const auto stream = Open(server, heard_.Callbacks());
    if (stream) return {.code = ErrorCode::kUnimplemented, .message = "it opened", .reason = {}};
    return stream.error();
  }
};

TEST_F(DuplexOpenTest, AsksToLeaveHttp) {
  Completion<std::string> head;
  Server server([&](Peer& peer) {
    head.Set(peer.ReadHead());
    peer.Send(kUpgraded);
  });
  ASSERT_TRUE(Open(server, heard_.Callbacks()));
  EXPECT_THAT(*head.Peek(), StartsWith("POST /attach HTTP/1.1\r\n"));
  EXPECT_THAT(*head.Peek(), HasSubstr("\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"));
  EXPECT_THAT(*head.Peek(), HasSubstr("\r\nContent-Length: 0\r\n"));
}

TEST_F(DuplexOpenTest, TakesA200AndPassesOverInterimAnswers) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello");
  });
  const auto stream = Open(server, heard_.Callbacks());
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_TRUE(heard_.AwaitEnd());
  EXPECT_EQ(heard_.Now().data, "hello");
}

TEST_F(DuplexOpenTest, ReadsAHeaderThatComesByteByByte) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    for (const char c : std::string(kUpgraded) + "data") peer.Send(std::string_view(&c, 1));
  });
  const auto stream = Open(server, heard_.Callbacks());
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_TRUE(heard_.AwaitEnd());
  EXPECT_EQ(heard_.Now().data, "data");
}

TEST_F(DuplexOpenTest, ARefusalCarriesItsTextWhateverTheFraming) {
  for (const std::string body :
       {"Content-Length: 5\r\n\r\nno: 1junk",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nno: 1\r\n0\r\n", "\r\nno: 1"}) {
    const Error error = ErrorOf("HTTP/1.1 404 Not Found\r\n" + body);
    EXPECT_EQ(error.code, ErrorCode::kNotFound);
    EXPECT_EQ(error.reason, "UPGRADE_REFUSED");
    EXPECT_EQ(error.message, "open stream '/attach': the answer is 404: no: 1");
  }
}

TEST_F(DuplexOpenTest, ARefusalDoesNotWaitForAServerThatKeepsTheConnection) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Answer(409, "not running");
    peer.ReadAll();
  });
  const auto stream = Open(server, heard_.Callbacks());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(stream.error().message, EndsWith("the answer is 409: not running"));
}

TEST_F(DuplexOpenTest, ARefusalIsCutAndSafeToPrint) {
  const Error error = ErrorOf("HTTP/1.1 500 Oh\r\n\r\n\x1b[31m" + std::string(100000, 'x'));
  EXPECT_EQ(error.code, ErrorCode::kInternal);
  EXPECT_LT(error.message.size(), 5000U);
  EXPECT_THAT(error.message, HasSubstr("\\x1b[31mxxx"));
}

TEST_F(DuplexOpenTest, AHeaderWithoutAnEndIsRefused) {
  EXPECT_EQ(ErrorOf("HTTP/1.1 101 A\r\nX: " + std::string(100000, 'x')).code,
            ErrorCode::kResourceExhausted);
  std::string interim;
  while (interim.size() < 100000) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(ErrorOf(interim).code, ErrorCode::kResourceExhausted);
}

TEST_F(DuplexOpenTest, GarbageIsNotHttp) {
  EXPECT_EQ(ErrorOf("garbage\r\n\r\n").code, ErrorCode::kInternal);
}

TEST_F(DuplexOpenTest, AnAnswerThatBreaksOffIsUnavailable) {
  for (const std::string bytes : {"", "HTTP/1.1 101 A\r\n"}) {
    const Error error = ErrorOf(bytes);
    EXPECT_EQ(error.code, ErrorCode::kUnavailable);
    EXPECT_EQ(error.Reason(), "UNAVAILABLE");
  }
}

TEST_F(DuplexOpenTest, WhereNobodyListensTheReasonIsConnectFailed) {
  const auto stream =
      DuplexStream::Open(*loop_, "/nonexistent/socket", "/attach", heard_.Callbacks(), {}, Soon());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(stream.error().Reason(), "CONNECT_FAILED");
}

TEST_F(DuplexOpenTest, WhatCannotBeSentIsRefused) {
  const std::string long_path(200, 'x');
  for (const auto& [path, target] : {std::pair<std::string, std::string>{"/socket", "no-slash"},
                                     {"/socket", "/a b"},
                                     {"/socket", "/a\r\nX: y"},
                                     {"", "/a"},
                                     {long_path, "/a"}}) {
    const auto stream = DuplexStream::Open(*loop_, path, target, heard_.Callbacks(), {}, Soon());
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().code, ErrorCode::kInvalidArgument) << stream.error().message;
  }
}

TEST_F(DuplexOpenTest, ASilentServerIsLeftAtTheDeadline) {
  Server server([](Peer& peer) { peer.ReadAll(); });
  const auto stream = DuplexStream::Open(*loop_, server.socket_path(), "/attach",
                                         heard_.Callbacks(), {}, Deadline::After(milliseconds(30)));
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(DuplexOpenTest, AStopTokenEndsTheWait) {
  std::stop_source stop;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    stop.request_stop();
    peer.ReadAll();
  });
  const auto stream = DuplexStream::Open(*loop_, server.socket_path(), "/attach",
                                         heard_.Callbacks(), stop.get_token(), Deadline::Never());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace tidewaiter::io
