// Streams whose receiver is slower than their sender, from real servers.
#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "tests/support/eventually.h"
#include "tests/support/tls_server.h"
#include "tests/unit/io/http_fixture.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;
using tidewaiter::testing::Eventually;
using tidewaiter::testing::TestAuthority;
using tidewaiter::testing::TlsPeer;
using tidewaiter::testing::TlsServer;

constexpr std::string_view kChunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
// More than the kernel keeps for two sockets.
constexpr std::size_t kMuch = std::size_t{64} << 20U;

// Bytes that tell whether one is missing or came twice.
std::string Numbered(std::size_t bytes) {
  std::string text;
  text.reserve(bytes + 8);
  for (std::size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i) + "\n";
  text.resize(bytes);
  return text;
}

class HttpPauseTest : public HttpFixture {
 protected:
  // Takes one piece of each `pieces` and then pauses.
  StreamReceiver Receiver(int pieces = 1) {
    return {.on_open = nullptr,
            .on_data =
                [this, pieces](std::string_view data) {
                  received_ += data.size();
                  {
                    auto kept = kept_.Lock();
                    kept->append(data);
                  }
                  if (++count_ % pieces != 0) return StreamNext::kMore;
                  ++pauses_;
                  return StreamNext::kPause;
                },
            .control = &control_};
  }
  // Resumes again and again, as somebody who makes room and does not know who waits.
  std::jthread Resumer() {
    return std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        control_.Resume();
        std::this_thread::yield();
      }
    });
  }
  Result<HttpResponse> Stream(const HttpRequest& request, const StreamReceiver& receiver,
                              const std::stop_token& stop = {}, Deadline deadline = Soon()) {
    return client_->StreamTo(request, stop, deadline, receiver);
  }
  std::string Kept() { return *kept_.Lock(); }

  StreamControl control_;
  std::atomic<std::size_t> received_{0};
  std::atomic<int> count_{0};
  std::atomic<int> pauses_{0};
  Guarded<std::string> kept_;
};

// What a paused stream holds: the piece that was given, one that libcurl keeps, and the kernel's.
TEST_F(HttpPauseTest, SenderIsBlockedWhileTheReceiverPauses) {
  std::atomic<std::size_t> sent = 0;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\n\r\n");
    const std::string piece(65536, 'x');
    while (sent < kMuch && peer.Send(piece)) sent += piece.size();
  });
  std::jthread resumer;
  std::jthread watcher([&] {
    EXPECT_TRUE(Eventually([&] { return pauses_ == 1; }));
    std::size_t before = 0;
    EXPECT_TRUE(Eventually([&] {
      std::this_thread::sleep_for(milliseconds(50));
      return std::exchange(before, sent.load()) == sent;
    }));
    EXPECT_LT(sent, kMuch / 4);
    EXPECT_LE(received_, 64U * 16384U);
    EXPECT_LT(BeatsWithin(*loop_, milliseconds(200)), 10U) << "the loop spins while it pauses";
    resumer = Resumer();
  });
  const auto answer = Stream(To(server), Receiver(64));
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(received_, kMuch);
  EXPECT_GT(pauses_, 1);
  watcher.join();
}

TEST_F(HttpPauseTest, NothingIsLostOrGivenTwice) {
  const std::string text = Numbered(3'000'000);
  const auto chunked = [&](Peer& peer, std::size_t size) {
    peer.Send(kChunkedHead);
    for (std::size_t at = 0; at < text.size(); at += size) {
      const std::string piece = text.substr(at, size);
      std::array<char, 32> head{};
      (void)std::snprintf(head.data(), head.size(), "%zx\r\n", piece.size());
      peer.Send(head.data() + piece + "\r\n");
    }
    peer.Send("0\r\n\r\n");
  };
  const std::vector<std::function<void(Peer&)>> ways{
      [&](Peer& peer) { peer.Answer(200, text); },
      [&](Peer& peer) { peer.Send("HTTP/1.1 200 OK\r\n\r\n" + text); },  // until it is closed
      [&](Peer& peer) { chunked(peer, 100); },
      [&](Peer& peer) { chunked(peer, 100'000); },
  };
  for (const auto& way : ways) {
    Server server([&](Peer& peer) {
      peer.ReadHead();
      way(peer);
    });
    kept_.Lock()->clear();
    const std::jthread resumer = Resumer();
    const auto answer = Stream(To(server), Receiver());
    ASSERT_TRUE(answer) << Text(answer);
    EXPECT_TRUE(Kept() == text);
  }
  EXPECT_GT(pauses_, 100);
}

TEST_F(HttpPauseTest, NothingIsLostByTls) {
  const TestAuthority authority;
  const std::string text = Numbered(3'000'000);
  TlsServer server(authority.Issue("DNS:localhost"), "", [&](TlsPeer& peer) {
    peer.ReadHead();
    peer.Answer(200, text);
    peer.ReadHead();
  });
  TlsIdentity identity;
  identity.ca_certificates = authority.pem();
  HttpRequest request;
  request.url = "https://localhost:" + std::to_string(server.port()) + "/log";
  request.tls = &identity;
  const std::jthread resumer = Resumer();
  const auto answer = Stream(request, Receiver());
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_TRUE(Kept() == text);
}

// Each piece is asked for by exactly one call, made while on_data has not yet returned its pause.
TEST_F(HttpPauseTest, ResumeThatComesBeforeThePauseIsNotLost) {
  const std::string text = Numbered(500'000);
  Server server(AnswerAll(text));
  StreamReceiver receiver = Receiver();
  const auto on_data = receiver.on_data;
  receiver.on_data = [&](std::string_view data) {
    control_.Resume();
    return on_data(data);
  };
  const auto answer = Stream(To(server), receiver);
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_TRUE(Kept() == text);
}

TEST_F(HttpPauseTest, ResumeOutsideOfAStreamDoesNothing) {
  control_.Resume();
  Server server(AnswerAll("enough"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Stream(To(server), Receiver()));
    control_.Resume();
    OnLoop(*loop_, [] {});
  }
  EXPECT_EQ(Kept(), "enoughenough");
}

// The bytes are there, and so is the end: nobody waits for a pause that holds up nothing.
TEST_F(HttpPauseTest, EndThatHasBeenReadComesWhileTheReceiverPauses) {
  Server server(AnswerAll("enough"));
  const auto answer = Stream(To(server), Receiver());
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(Kept(), "enough");
  EXPECT_EQ(pauses_, 1);
}

TEST_F(HttpPauseTest, ReceiverMayHaveEnoughAfterAPause) {
  const std::string text = Numbered(1'000'000);
  Server server(AnswerAll(text));
  StreamReceiver receiver = Receiver();
  receiver.on_data = [&](std::string_view) {
    return ++count_ < 3 ? StreamNext::kPause : StreamNext::kEnd;
  };
  const std::jthread resumer = Resumer();
  const auto answer = Stream(To(server), receiver);
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(count_, 3);
}

TEST_F(HttpPauseTest, DeadlineAndStopHoldWhileTheReceiverPauses) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\n\r\n");
    const std::string piece(65536, 'x');
    while (peer.Send(piece)) {
    }
  });
  const auto late = Stream(To(server), Receiver(), {}, Deadline::After(milliseconds(200)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);

  std::stop_source stop;
  pauses_ = 0;
  const std::jthread stopper([&] {
    EXPECT_TRUE(Eventually([&] { return pauses_ == 1; }));
    stop.request_stop();
  });
  const auto stopped = Stream(To(server), Receiver(), stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  control_.Resume();
  OnLoop(*loop_, [] {});
}

TEST_F(HttpPauseTest, SenderThatMustWaitIsNotSilent) {
  const std::string text = Numbered(1'000'000);
  Server server(AnswerAll(text));
  HttpRequest request = To(server);
  request.silence = milliseconds(400);
  std::jthread resumer;
  const std::jthread later([&] {
    EXPECT_TRUE(Eventually([&] { return pauses_ == 1; }));
    std::this_thread::sleep_for(milliseconds(1000));
    resumer = Resumer();
  });
  const auto answer = Stream(request, Receiver());
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_TRUE(Kept() == text);
}

TEST_F(HttpPauseTest, SilenceCountsAnewAfterAPause) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send(kChunkedHead);
    peer.Send("1\r\nx\r\n");
    peer.ReadHead();  // until the client hangs up
  });
  HttpRequest request = To(server);
  request.silence = milliseconds(400);
  std::atomic<Deadline::Clock::time_point> resumed{};
  const std::jthread later([&] {
    EXPECT_TRUE(Eventually([&] { return pauses_ == 1; }));
    std::this_thread::sleep_for(milliseconds(1000));
    resumed = Deadline::Clock::now();
    control_.Resume();
  });
  const auto answer = Stream(request, Receiver());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().Reason(), "SILENT");
  EXPECT_GE(Deadline::Clock::now() - resumed.load(), request.silence) << "from the pause's end";
}

}  // namespace
}  // namespace tidewaiter::io
