// Streams that nobody waits for (HttpClient::Begin), from real servers.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/completion.h"
#include "base/guarded.h"
#include "tests/support/eventually.h"
#include "tests/unit/io/http_fixture.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;
using tidewaiter::testing::Eventually;

class HttpBeginTest : public HttpFixture {
 protected:
  StreamReceiver Receiver(StreamNext next = StreamNext::kMore) {
    return {.on_open = [this] { opened_ = true; },
            .on_data =
                [this, next](std::string_view data) {
                  on_loop_ = on_loop_ && loop_->OnLoopThread();
                  kept_.Lock()->append(data);
                  ++count_;
                  return next;
                },
            .control = &control_};
  }
  Result<std::unique_ptr<HttpStream>> Begin(const HttpRequest& request, StreamReceiver receiver,
                                            Deadline deadline = Soon()) {
    return client_->Begin(request, deadline, std::move(receiver),
                          [this](Result<HttpResponse> result) {
                            on_loop_ = on_loop_ && loop_->OnLoopThread();
                            ++ends_;
                            end_.Set(std::move(result));
                          });
  }
  Result<HttpResponse> End() { return *end_.Wait({}, Soon()); }
  std::string Kept() { return *kept_.Lock(); }

  static tidewaiter::testing::ScriptedServer::Script Endless(std::atomic<bool>& hung_up) {
    return [&hung_up](Peer& peer) {
      peer.ReadHead();
      peer.Send("HTTP/1.1 200 OK\r\n\r\n");
      const std::string piece(4096, 'x');
      while (peer.Send(piece)) {
      }
      hung_up = true;
    };
  }

  StreamControl control_;
  std::atomic<bool> opened_{false};
  std::atomic<bool> on_loop_{true};
  std::atomic<int> count_{0};
  std::atomic<int> ends_{0};
  Guarded<std::string> kept_;
  Completion<Result<HttpResponse>> end_;
};

TEST_F(HttpBeginTest, BytesAndEndAreToldOnTheLoopsThread) {
  Server server(AnswerAll("enough"));
  const auto stream = Begin(To(server), Receiver());
  ASSERT_TRUE(stream.has_value());
  const auto end = End();
  ASSERT_TRUE(end) << Text(end);
  EXPECT_EQ(end->status, 200);
  EXPECT_TRUE(opened_);
  EXPECT_EQ(Kept(), "enough");
  EXPECT_TRUE(on_loop_);
  OnLoop(*loop_, [] {});
  EXPECT_EQ(ends_, 1);
}

TEST_F(HttpBeginTest, AnswerThatIsAnErrorComesWithItsBody) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Answer(404, "there is none");
  });
  const auto stream = Begin(To(server), Receiver());
  ASSERT_TRUE(stream.has_value());
  const auto end = End();
  ASSERT_TRUE(end) << Text(end);
  EXPECT_EQ(end->status, 404);
  EXPECT_EQ(end->body, "there is none");
  EXPECT_FALSE(opened_);
}

TEST_F(HttpBeginTest, ServerThatIsNotThereIsTold) {
  HttpRequest request;
  request.method = "GET";
  request.url = "http://engine/thing";
  request.unix_socket = "/nonexistent/socket";
  const auto stream = Begin(request, Receiver());
  ASSERT_TRUE(stream.has_value());
  const auto end = End();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kUnavailable);
}

TEST_F(HttpBeginTest, DeadlineIsTold) {
  std::atomic<bool> hung_up = false;
  Server server(Endless(hung_up));
  const auto stream = Begin(To(server), Receiver(), Deadline::After(milliseconds(100)));
  ASSERT_TRUE(stream.has_value());
  const auto end = End();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(HttpBeginTest, RequestThatCannotBeSentIsAnErrorAtOnce) {
  Server server(AnswerAll("enough"));
  HttpRequest request = To(server);
  request.headers.emplace_back("X-Forged", "1\r\nAuthorization: 2");
  const auto stream = Begin(request, Receiver());
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().code, ErrorCode::kInvalidArgument);
  OnLoop(*loop_, [] {});
  EXPECT_EQ(ends_, 0);
}

// Neither bytes nor an end come afterwards, and the server is left.
TEST_F(HttpBeginTest, DestroyedStreamCallsNothingAnyMore) {
  std::atomic<bool> hung_up = false;
  Server server(Endless(hung_up));
  auto stream = Begin(To(server), Receiver());
  ASSERT_TRUE(stream.has_value());
  ASSERT_TRUE(Eventually([&] { return count_ > 10; }));
  stream->reset();
  const int count = count_;
  EXPECT_TRUE(Eventually([&] { return hung_up.load(); }));
  OnLoop(*loop_, [] {});
  EXPECT_EQ(count_, count);
  EXPECT_EQ(ends_, 0);
  control_.Resume();
}

TEST_F(HttpBeginTest, StreamMayBeDestroyedWhileItPauses) {
  std::atomic<bool> hung_up = false;
  Server server(Endless(hung_up));
  auto stream = Begin(To(server), Receiver(StreamNext::kPause));
  ASSERT_TRUE(stream.has_value());
  ASSERT_TRUE(Eventually([&] { return count_ == 1; }));
  stream->reset();
  EXPECT_TRUE(Eventually([&] { return hung_up.load(); }));
  EXPECT_EQ(ends_, 0);
}

TEST_F(HttpBeginTest, StreamMayBeDestroyedAtAnyMoment) {
  Server server(AnswerAll(std::string(20'000, 'x')));
  for (int i = 0; i < 200; ++i) {
    auto stream = Begin(To(server), Receiver());
    ASSERT_TRUE(stream.has_value());
    for (int yields = i % 40; yields > 0; --yields) std::this_thread::yield();
    stream->reset();
    const int ends = ends_;
    const int count = count_;
    OnLoop(*loop_, [] {});
    ASSERT_EQ(ends_, ends);
    ASSERT_EQ(count_, count);
  }
}

TEST_F(HttpBeginTest, PausedStreamGoesOnWhenItIsResumed) {
  std::string text;
  for (int i = 0; text.size() < 300'000; ++i) text += std::to_string(i) + "\n";
  Server server(AnswerAll(text));
  const auto stream = Begin(To(server), Receiver(StreamNext::kPause));
  ASSERT_TRUE(stream.has_value());
  const std::jthread resumer([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      control_.Resume();
      std::this_thread::yield();
    }
  });
  const auto end = End();
  ASSERT_TRUE(end) << Text(end);
  EXPECT_TRUE(Kept() == text);
  EXPECT_GT(count_, 100);
}

}  // namespace
}  // namespace tidewaiter::io
