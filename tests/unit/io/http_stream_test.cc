#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "tests/unit/io/http_fixture.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kChunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

class HttpStreamTest : public HttpFixture {
 protected:
  // Takes everything.
  Result<HttpResponse> Stream(const HttpRequest& request) {
    return client_->Stream(
        request, {}, Soon(), [this] { ++opened_; },
        [this](std::string_view data) {
          opened_before_data_ = opened_before_data_ && opened_ == 1;
          data_ += data;
          return true;
        });
  }

  // Written on the loop's thread while the caller waits.
  std::string data_;
  int opened_ = 0;
  bool opened_before_data_ = true;
};

TEST_F(HttpStreamTest, GivesTheBytesOfAnAnswerAfterItHasOpenedOnce) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kChunkedHead);
    peer.Send("3\r\nabc\r\n");
    peer.Send("2\r\nde\r\n0\r\n\r\n");
  });
  const auto answer = Stream(To(server));
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "");
  EXPECT_EQ(data_, "abcde");
  EXPECT_EQ(opened_, 1);
  EXPECT_TRUE(opened_before_data_);
}

TEST_F(HttpStreamTest, OpensBeforeTheFirstByteIsThere) {
  Completion<bool> opened;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send(kChunkedHead);
    if (opened.Wait({}, Soon())) peer.Send("0\r\n\r\n");
  });
  const auto answer = client_->Stream(
      To(server), {}, Soon(), [&] { opened.Set(true); }, [](std::string_view) { return true; });
  EXPECT_TRUE(answer) << Text(answer);
}

TEST_F(HttpStreamTest, CarriesMoreThanTheBoundOfAnAnswer) {
  const std::string piece(65536, 'x');
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 6553600\r\n\r\n");
    for (int i = 0; i < 100; ++i) peer.Send(piece);
  });
  HttpRequest request = To(server);
  request.max_response_bytes = 10;
  ASSERT_TRUE(Stream(request));
  EXPECT_EQ(data_.size(), 6553600U);
}

TEST_F(HttpStreamTest, EndsWellWhenTheReceiverHasEnough) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kChunkedHead);
    while (peer.Send("1\r\nx\r\n")) {
    }
  });
  int pieces = 0;
  const auto answer = client_->Stream(To(server), {}, Soon(), nullptr,
                                      [&](std::string_view) { return ++pieces < 3; });
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(pieces, 3);
}

// The cancel is acted on when the answer is complete and the caller's request may be gone: a
// sanitizer sees whether it is looked at then.
TEST_F(HttpStreamTest, ThatIsStoppedAsItEndsTouchesNothingOfItsCaller) {
  Server server(AnswerAll("enough"));
  std::stop_source stop;
  auto request = std::make_unique<HttpRequest>(To(server));
  const auto answer =
      client_->Stream(*request, stop.get_token(), Soon(), nullptr, [&stop](std::string_view) {
        stop.request_stop();
        return false;
      });
  request.reset();
  EXPECT_TRUE(answer.has_value()) << Text(answer);
  OnLoop(*loop_, [] {});
}

TEST_F(HttpStreamTest, ReturnsARefusalWholeAndDoesNotOpen) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Answer(500, "no such thing");
  });
  const auto answer = Stream(To(server));
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(answer->status, 500);
  EXPECT_EQ(answer->body, "no such thing");
  EXPECT_EQ(opened_, 0);
  EXPECT_EQ(data_, "");
}

TEST_F(HttpStreamTest, BoundsARefusal) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Answer(500, "longer than ten bytes");
  });
  HttpRequest request = To(server);
  request.max_response_bytes = 10;
  const auto answer = Stream(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kResourceExhausted);
}

TEST_F(HttpStreamTest, ThatBreaksOffIsUnavailable) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kChunkedHead);
    peer.Send("3\r\nabc\r\n");
  });
  const auto answer = Stream(To(server));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(data_, "abc");
}

TEST_F(HttpStreamTest, EndsWithTheStopTokenAndCallsNobodyAfterwards) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kChunkedHead);
    while (peer.Send("1\r\nx\r\n")) {
    }
  });
  for (int i = 0; i < 20; ++i) {
    std::stop_source stop;
    std::atomic<bool> returned = false;
    std::atomic<bool> called_late = false;
    const auto answer = client_->Stream(To(server), stop.get_token(), Deadline::Never(), nullptr,
                                        [&](std::string_view) {
                                          if (returned) called_late = true;
                                          stop.request_stop();
                                          return true;
                                        });
    returned = true;
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
    OnLoop(*loop_, [] {});
    EXPECT_FALSE(called_late);
  }
}

TEST_F(HttpStreamTest, WhoseHeaderDoesNotComeInItsTimeIsGivenUp) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.ReadHead();  // until the client hangs up
  });
  HttpRequest request = To(server);
  request.head_within = milliseconds(50);
  const auto answer = Stream(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(answer.error().Reason(), "SILENT");
}

TEST_F(HttpStreamTest, MayBeSilentForAsLongAsItLikesOnceItsHeaderHasCome) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kChunkedHead);
    Completion<bool> never;
    never.Wait({}, Deadline::After(milliseconds(200)));
    peer.Send("1\r\nx\r\n0\r\n\r\n");
  });
  HttpRequest request = To(server);
  request.head_within = milliseconds(100);
  const auto answer = Stream(request);
  EXPECT_TRUE(answer) << Text(answer);
  EXPECT_EQ(data_, "x");
}

TEST_F(HttpStreamTest, ThatSpeaksNowAndThenIsNotSilent) {
  // A piece every 50 ms, for twice as long as it may be silent.
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send(kChunkedHead);
    for (int i = 0; i < 12; ++i) {
      Completion<bool> never;
      never.Wait({}, Deadline::After(milliseconds(50)));
      peer.Send("1\r\nx\r\n");
    }
    peer.Send("0\r\n\r\n");
  });
  HttpRequest request = To(server);
  request.silence = milliseconds(300);
  const auto answer = Stream(request);
  EXPECT_TRUE(answer) << Text(answer);
  EXPECT_EQ(data_.size(), 12U);
}

}  // namespace
}  // namespace tidewaiter::io
