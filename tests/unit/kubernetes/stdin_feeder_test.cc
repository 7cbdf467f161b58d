#include "broker/kubernetes/stdin_feeder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/cluster_recordings.h"
#include "tests/support/eventually.h"
#include "tests/unit/kubernetes/watch_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using testing::Eventually;
using ::testing::HasSubstr;

constexpr const char* kRuns =
    R"({"phase":"Running","containerStatuses":[{"name":"job","state":{"running":{}}}]})";

// What the other end has got, and says. Outlives the socket.
struct OtherEnd {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::string got;    // without the channels
  bool takes = true;  // one message at a time where not
  bool full = false;
  bool woken = false;
  bool hangs_up = false;
  std::string says;
  std::atomic<bool> closed_in_order = false;

  std::string Got() {
    const std::lock_guard lock(mutex);
    return got;
  }
  void Say(std::string message) {
    const std::lock_guard lock(mutex);
    says = std::move(message);
    changed.notify_all();
  }
  void HangUp() {
    const std::lock_guard lock(mutex);
    hangs_up = true;
    changed.notify_all();
  }
};

class Socket final : public io::WebSocket {
 public:
  explicit Socket(OtherEnd& end) : end_(end) {}

  Result<Event> Receive(const std::stop_token& stop, Deadline /*deadline*/) override {
    std::unique_lock lock(end_.mutex);
    end_.changed.wait(lock, stop, [&] {
      return end_.woken || end_.hangs_up || !end_.says.empty() || (end_.full && end_.takes);
    });
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped");
    if (!end_.says.empty()) {
      said_ = std::exchange(end_.says, {});
      return Event{.data = std::as_bytes(std::span(said_)), .begins = true, .ends = true};
    }
    if (end_.hangs_up) return Event{.kind = Event::Kind::kClosed, .code = 1000};
    if (std::exchange(end_.woken, false)) return Event{.kind = Event::Kind::kWoken};
    end_.full = false;
    return Event{.kind = Event::Kind::kRoom};
  }
  bool Send(std::span<const std::byte> message) override {
    const std::lock_guard lock(end_.mutex);
    if (end_.full) return false;
    EXPECT_EQ(message.front(), std::byte{0});
    end_.got.append(reinterpret_cast<const char*>(message.data()) + 1, message.size() - 1);
    end_.full = !end_.takes;
    return true;
  }
  void Wake() noexcept override {
    const std::lock_guard lock(end_.mutex);
    end_.woken = true;
    end_.changed.notify_all();
  }
  Result<void> Close(const std::stop_token& /*stop*/, Deadline /*deadline*/) override {
    const std::lock_guard lock(end_.mutex);
    end_.closed_in_order = true;
    return Ok();
  }

 private:
  std::string said_;
  OtherEnd& end_;
};

class StdinFeederTest : public ClusterTest {
 protected:
  StdinFeederTest() : watcher_(std::make_unique<RunWatcher>(api_, settings_)) {
    EXPECT_TRUE(watcher_->WaitUntilFollowing(Soon()).has_value());
    tracked_ = watcher_->Track(RunId("r"), {}, false);
    tracked_->BelongTo("j1");
    open_socket_ = [this](const io::HttpRequest& request,
                          auto&&...) -> Result<io::WebSocket::Opened> {
      url_ = request.url;
      if (refusals_-- > 0) return Fail(ErrorCode::kUnavailable, "refused", "CONNECT_FAILED");
      return io::WebSocket::Opened{.socket = std::make_unique<Socket>(end_), .refusal = {}};
    };
    feeder_ = std::make_unique<StdinFeeder>(api_, *tracked_);
  }
  void SayPod(const std::string& status) {
    cluster_.Say("pods", Event("MODIFIED", Object("r", "u1", std::to_string(++version_), status)));
  }
  std::size_t Write(const std::string& text) {
    return feeder_->Write(std::as_bytes(std::span(text)));
  }

  OtherEnd end_;
  int refusals_ = 0;
  int version_ = 100;
  std::string url_;
  std::unique_ptr<RunWatcher> watcher_;
  std::unique_ptr<RunWatcher::Tracked> tracked_;
  std::unique_ptr<StdinFeeder> feeder_;
};

TEST_F(StdinFeederTest, BytesArriveInOrderAndTheEndIsTheConnections) {
  EXPECT_EQ(Write("before the start, "), 18U);
  SayPod(kRuns);
  ASSERT_TRUE(Eventually([&] { return end_.Got() == "before the start, "; }));
  EXPECT_THAT(url_, HasSubstr("/pods/tw-r/attach?stdin=true&container=job"));
  EXPECT_EQ(Write("after it"), 8U);
  ASSERT_TRUE(Eventually([&] { return end_.Got() == "before the start, after it"; }));
  EXPECT_FALSE(end_.closed_in_order);
  feeder_->Close();
  EXPECT_TRUE(Eventually([&] { return end_.closed_in_order.load(); }));
  EXPECT_FALSE(tracked_->exited().Wait({}, Deadline::After(milliseconds(100))));
}

TEST_F(StdinFeederTest, WhatDoesNotFitIsLeftToTheWriterUntilThereIsRoom) {
  const auto rooms = std::make_shared<std::atomic<int>>(0);
  feeder_->SetOnRoom([rooms] { ++*rooms; });
  const std::string much(100'000, 'x');
  EXPECT_EQ(Write(much), std::size_t{64} << 10U);
  EXPECT_EQ(Write("more"), 0U);
  SayPod(kRuns);
  ASSERT_TRUE(Eventually([&] { return *rooms > 0; }));
  EXPECT_EQ(Write("more"), 4U);
  EXPECT_TRUE(Eventually([&] { return end_.Got().size() == (std::size_t{64} << 10U) + 4; }));
}

TEST_F(StdinFeederTest, ClusterThatIsNotReachedAtOnceIsAskedAgain) {
  refusals_ = 2;
  Write("all of it");
  feeder_->Close();
  SayPod(kRuns);
  EXPECT_TRUE(Eventually([&] { return end_.Got() == "all of it"; }));
}

// The command has read an end that was none.
TEST_F(StdinFeederTest, ConnectionThatIsCutLosesTheRun) {
  SayPod(kRuns);
  Write("some");
  ASSERT_TRUE(Eventually([&] { return end_.Got() == "some"; }));
  end_.HangUp();
  const auto exit = tracked_->exited().Wait({}, Soon().deadline);
  ASSERT_TRUE(exit.has_value());
  ASSERT_TRUE(exit->lost.has_value());
  EXPECT_EQ(exit->lost->Reason(), "STDIN_BROKEN");
  EXPECT_EQ(Write("nobody takes this"), 17U);
}

TEST_F(StdinFeederTest, ContainerThatEndsWithoutReadingItAllHasEnded) {
  SayPod(kRuns);
  Write("some");
  ASSERT_TRUE(Eventually([&] { return end_.Got() == "some"; }));
  end_.HangUp();
  SayPod(Ended(3));
  const auto exit = tracked_->exited().Wait({}, Soon().deadline);
  ASSERT_TRUE(exit.has_value());
  EXPECT_FALSE(exit->lost.has_value());
  EXPECT_EQ(exit->exit_code, 3);
}

TEST_F(StdinFeederTest, CommandThatClosesItsStdinGoesOn) {
  SayPod(kRuns);
  Write("some");
  ASSERT_TRUE(Eventually([&] { return end_.Got() == "some"; }));
  end_.Say(std::string(1, '\3') + kExecSuccess);
  // Nobody takes any more, and nobody minds.
  EXPECT_TRUE(Eventually([&] { return Write(std::string(100'000, 'x')) == 100'000; }));
  feeder_.reset();
  EXPECT_FALSE(tracked_->exited().Peek().has_value());
}

TEST_F(StdinFeederTest, RunThatNeverStartsIsNotWaitedFor) {
  Write("some");
  feeder_.reset();
  EXPECT_EQ(end_.Got(), "");
}

}  // namespace
}  // namespace tidewaiter::kubernetes
