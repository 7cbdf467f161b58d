// Answers that no honest server gives.
#include <gmock/gmock.h>

#include <string>

#include "tests/unit/io/http_fixture.h"

namespace tidewaiter::io {
namespace {

class HttpHostileTest : public HttpFixture {
 protected:
  // What comes of an answer of these bytes, after which the server closes.
  Result<HttpResponse> FetchOf(std::string bytes, std::size_t max_response_bytes = 1000) {
    Server server([bytes = std::move(bytes)](Peer& peer) {
      peer.ReadHead();
      peer.Send(bytes);
    });
    HttpRequest request = To(server);
    request.max_response_bytes = max_response_bytes;
    return Fetch(request);
  }
};

TEST_F(HttpHostileTest, ABodyOfTheBoundPassesAndOneByteMoreIsRefused) {
  const auto fits = FetchOf("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345", 5);
  ASSERT_TRUE(fits) << Text(fits);
  EXPECT_EQ(fits->body, "12345");
  const auto longer = FetchOf("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n123456", 5);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, ErrorCode::kResourceExhausted);
}

TEST_F(HttpHostileTest, ABodyWithoutAnEndIsRefusedAtTheBound) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\n\r\n");
    while (peer.Send(std::string(65536, 'x'))) {
    }
  });
  const auto answer = Fetch(To(server));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kResourceExhausted);
}

TEST_F(HttpHostileTest, HeadersWithoutAnEndAreRefused) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\n");
    while (peer.Send("A: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  const auto answer = Fetch(To(server));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kResourceExhausted) << answer.error().message;
}

TEST_F(HttpHostileTest, InterimAnswersWithoutAnEndAreRefused) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    while (peer.Send("HTTP/1.1 102 Processing\r\n\r\n")) {
    }
  });
  const auto answer = Fetch(To(server));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kResourceExhausted) << answer.error().message;
}

TEST_F(HttpHostileTest, TrailersWithoutAnEndAreRefused) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    while (peer.Send("A: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  const auto answer = Fetch(To(server));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kResourceExhausted) << answer.error().message;
}

TEST_F(HttpHostileTest, AHeaderLineWithoutAnEndIsRefused) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\nA: ");
    while (peer.Send(std::string(65536, 'x'))) {
    }
  });
  const auto answer = Fetch(To(server));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kResourceExhausted) << answer.error().message;
}

TEST_F(HttpHostileTest, GarbageIsNotHttp) {
  for (const std::string bytes :
       {"garbage\r\n\r\n", "HTTP/9.9 hello\r\n\r\n", "\x16\x03\x01\x02"}) {
    const auto answer = FetchOf(bytes);
    ASSERT_FALSE(answer) << bytes;
    EXPECT_EQ(answer.error().code, ErrorCode::kInternal) << answer.error().message;
  }
}

TEST_F(HttpHostileTest, AnErrorShowsNoControlBytesOfTheServer) {
  const auto answer = FetchOf("HTTP/9.\x1b[31m \x07\r\n\r\n");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message.find('\x1b'), std::string::npos);
}

TEST_F(HttpHostileTest, AClosedConnectionIsNoAnswer) {
  const auto answer = FetchOf("");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(answer.error().Reason(), "UNAVAILABLE");
}

TEST_F(HttpHostileTest, ABodyThatBreaksOffIsNoAnswer) {
  for (const std::string framing : {"Content-Length: 10", "Transfer-Encoding: chunked"}) {
    const auto answer = FetchOf("HTTP/1.1 200 OK\r\n" + framing + "\r\n\r\n5\r\nhal");
    ASSERT_FALSE(answer) << framing;
    EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable) << answer.error().message;
  }
}

TEST_F(HttpHostileTest, AResetConnectionIsNoAnswer) {
  Server server([](Peer& peer) {
    peer.Read(1);  // the rest is unread when the connection closes: the client is told of a reset
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  const auto answer = Fetch(To(server));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable) << answer.error().message;
}

TEST_F(HttpHostileTest, AnUpgradeThatNobodyAskedForIsRefused) {
  const auto answer = FetchOf("HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\n\r\nraw");
  ASSERT_FALSE(answer) << Text(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kInternal);
}

}  // namespace
}  // namespace tidewaiter::io
