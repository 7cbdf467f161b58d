// Clients that pause or do not read at all, on a real engine: what holds up a container, what holds
// up the news of its end (moby#41827), and what is lost then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "broker/io/http_client.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/lab.h"

namespace tidewaiter::testing {
namespace {

using std::chrono::seconds;

// Writes lines of 1,000 bytes until nobody takes any more of them, keeps count, and ends by itself
// with status 3 while the last of them still wait to be read.
const char* const kEndUnread =
    "timeout -s KILL 2 sh -c 'n=0; while printf \"%0999d\\n\" $n; do n=$((n+1)); echo $n >/tmp/n; "
    "done'; cat /tmp/n >&2; exit 3";

class SlowClient : public ::testing::Test {
 protected:
  void SetUp() override {
    TW_REQUIRE_LAB(lab);
    lab_ = lab;
    loop_ = *io::EventLoop::Start();
    http_ = *io::HttpClient::Create(*loop_);
  }

  void StartBroker(const std::string& output_stall) {
    broker_ = std::make_unique<BrokerProcess>(BrokerProcess::Options{
        .docker_socket = lab_.docker_socket,
        .settings = "stop_grace = \"2s\"\noutput_stall = \"" + output_stall + "\"\n"});
    client_ = std::make_unique<GateClient>(broker_->socket_path());
  }

  // Runs `script` for a client that reads its first output, then nothing until `pause` returns.
  Transcript RunAndPause(const std::string& script, const std::function<void()>& pause,
                         seconds timeout = seconds(100)) {
    v1::RunSpec spec;
    spec.set_image(lab_.image);
    for (const std::string& word : {std::string("sh"), std::string("-c"), script}) {
      spec.add_command(word);
    }
    spec.mutable_limits()->mutable_timeout()->set_seconds(timeout.count());
    bool paused = false;
    return client_->Run(
        spec,
        [&](const v1::RunEvent& event, GateClient::Stream&, grpc::ClientContext&) {
          if (event.has_admitted()) run_id_ = event.admitted().run_id();
          if (!event.has_output() || paused) return;
          paused = true;
          pause();
        },
        false, seconds(110));
  }

  // Until the engine no longer answers about the container: it has ended, and is not told of.
  void AwaitWithheldEnd() {
    io::HttpRequest inspect;
    inspect.url = "http://docker/containers/tw-" + run_id_ + "/json";
    inspect.unix_socket = lab_.docker_socket;
    EXPECT_TRUE(Eventually(seconds(60), [&] {
      const auto answer = http_->Fetch(inspect, {}, Deadline::After(seconds(1)));
      return !answer && answer.error().code == ErrorCode::kDeadlineExceeded;
    })) << "no engine that withholds an exit: what is this test about?";
  }

  nlohmann::json AwaitRecord() {
    nlohmann::json finished = nlohmann::json::object();
    EXPECT_TRUE(Eventually(seconds(60), [&] {
      for (const std::string& line : client_->AuditLines()) {
        const auto record = nlohmann::json::parse(line);
        if (record["type"] == "run.finished") finished = record;
      }
      return !finished.empty();
    }));
    return finished;
  }

  Lab lab_;
  std::unique_ptr<io::EventLoop> loop_;
  std::unique_ptr<io::HttpClient> http_;
  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<GateClient> client_;
  std::string run_id_;
};

// The pause is what is tested: longer than the stall after which an ended container is given up.
TEST_F(SlowClient, PauseHoldsUpARunningContainerAndLosesNothing) {
  StartBroker("1s");
  // 11 MB: more than all the buffers on the way together, so that the container is still running.
  const Transcript transcript =
      RunAndPause("seq 1 1500000; exit 3", [] { std::this_thread::sleep_for(seconds(4)); });
  ASSERT_TRUE(transcript.status.ok()) << transcript.status.error_message();
  std::string expected;
  for (int i = 1; i <= 1500000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_TRUE(transcript.Stdout() == expected) << transcript.Stdout().size();
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(transcript.Result().exit_code(), 3);
  EXPECT_FALSE(transcript.Has(v1::RunEvent::kTruncated));
}

TEST_F(SlowClient, PauseAcrossTheContainersEndLosesNothing) {
  StartBroker("60s");
  const Transcript transcript = RunAndPause(kEndUnread, [this] { AwaitWithheldEnd(); });
  ASSERT_TRUE(transcript.status.ok()) << transcript.status.error_message();
  EXPECT_EQ(transcript.Stdout().size() % 1000, 0U);
  EXPECT_THAT(transcript.Stderr(),
              ::testing::EndsWith(std::to_string(transcript.Stdout().size() / 1000) + "\n"));
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(transcript.Result().exit_code(), 3);
  EXPECT_FALSE(transcript.Has(v1::RunEvent::kTruncated));
}

TEST_F(SlowClient, PauseAcrossTheTimeoutIsNoTimeoutWhereTheContainerHadEnded) {
  StartBroker("60s");
  const Transcript transcript = RunAndPause(
      kEndUnread,
      [this] {
        AwaitWithheldEnd();
        std::this_thread::sleep_for(seconds(10));  // what is tested: a pause far beyond the timeout
      },
      seconds(4));
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(transcript.Result().exit_code(), 3);
  EXPECT_FALSE(transcript.Has(v1::RunEvent::kTruncated));
}

TEST_F(SlowClient, ContainerThatEndsUnreadIsRecordedWithItsOwnStatus) {
  StartBroker("2s");
  nlohmann::json record;
  RunAndPause(kEndUnread, [&] { record = AwaitRecord(); });
  EXPECT_EQ(record["outcome"].value("kind", ""), "EXITED") << record;
  EXPECT_EQ(record["outcome"].value("exit_code", 0), 3) << record;
  EXPECT_GT(record.value("dropped_output_bytes", 0), 0) << record;
}

TEST_F(SlowClient, ContainerThatRunsOnUnreadIsTimedOutAndTheRestIsCounted) {
  StartBroker("30s");
  const Transcript transcript = RunAndPause(
      "while :; do printf '%0999d\\n' 1; done", [&] { AwaitRecord(); }, seconds(3));
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::TIMED_OUT);
  EXPECT_EQ(transcript.Truncated().reason(), "SLOW_CLIENT");
  EXPECT_GT(transcript.Truncated().dropped_bytes(), 0);
}

}  // namespace
}  // namespace tidewaiter::testing
