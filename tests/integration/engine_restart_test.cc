// An engine that ends and comes back under running containers: a real one of the test's own.
#include <gmock/gmock.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/detached_world.h"
#include "tests/support/own_engine.h"

namespace tidewaiter::testing {
namespace {

// A line a second.
constexpr const char* kLines = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 1; done; exit 4";
constexpr const char* kAllLines = "1\n2\n3\n4\n5\n6\n7\n8\n";

class EngineRestart : public DetachedWorld {
 protected:
  void Begin(const std::vector<std::string>& flags, const std::string& docker_settings = {}) {
    engine_ = std::make_unique<OwnEngine>(lab_, flags);
    lab_.docker_socket = engine_->socket();
    broker_.reset();
    broker_ = std::make_unique<BrokerProcess>(
        BrokerProcess::Options{.docker_socket = engine_->socket(),
                               .settings = "stop_grace = \"1s\"\nreap_retry_max = \"1s\"\n",
                               .docker_settings = docker_settings});
    client_ = std::make_unique<GateClient>(broker_->socket_path());
  }
  // Runs beside the test; the future is ready at its end.
  std::future<Transcript> RunBeside(const std::string& script) {
    auto begun = std::make_shared<std::promise<void>>();
    auto underway = begun->get_future();
    auto transcript = std::async(std::launch::async, [this, script, begun] {
      bool started = false;
      bool said = false;
      bool told = false;
      return client_->Run(Shell(script), [&](const v1::RunEvent& event, auto&, auto&) {
        started = started || event.has_started();
        said = said || event.has_output();
        if (started && said && !std::exchange(told, true)) begun->set_value();
      });
    });
    EXPECT_EQ(underway.wait_for(kWithin), std::future_status::ready);
    return transcript;
  }
  std::string StartBeside(const std::string& script) {
    const std::string run_id = Start(Shell(script)).run_id();
    AwaitOutput(run_id, "1\n");
    // What it says may come before the engine's answer to its start.
    EXPECT_TRUE(
        Eventually(kWithin, [&] { return Attach(run_id, true).Has(v1::RunEvent::kStarted); }));
    return run_id;
  }

  std::unique_ptr<OwnEngine> engine_;
};

TEST_F(EngineRestart, AKilledEngineThatRestoresItsContainersCostsNoDetachedRunAnything) {
  Begin({"--live-restore"});
  auto attached = RunBeside(kLines);
  const std::string run_id = StartBeside(kLines);
  engine_->Kill();
  engine_->Start();
  const v1::WaitResponse detached = Wait(run_id);
  EXPECT_EQ(detached.result().outcome(), v1::RunResult::EXITED) << detached.result().message();
  EXPECT_EQ(detached.result().exit_code(), 4);
  EXPECT_EQ(Attach(run_id).Stdout(), kAllLines);
  EXPECT_FALSE(Attach(run_id).Has(v1::RunEvent::kTruncated));
  const Transcript ended = attached.get();
  EXPECT_EQ(ended.Result().exit_code(), 4);
  EXPECT_EQ(ended.Truncated().reason(), "ENGINE_STREAM_LOST");
}

TEST_F(EngineRestart, AKilledEngineThatEndsItsContainersTellsHowAndTheLastOutputIsKept) {
  Begin({});
  const std::string script = "trap 'echo ended; exit 9' TERM; echo 1; while :; do sleep 0.2; done";
  auto attached = RunBeside(script);
  const std::string run_id = StartBeside(script);
  engine_->Kill();
  engine_->Start();
  const v1::WaitResponse detached = Wait(run_id);
  EXPECT_EQ(detached.result().outcome(), v1::RunResult::EXITED) << detached.result().message();
  EXPECT_EQ(detached.result().exit_code(), 9);
  const Transcript ended = attached.get();
  EXPECT_EQ(ended.Result().exit_code(), 9);
  EXPECT_EQ(ended.Truncated().reason(), "ENGINE_STREAM_LOST");
}

TEST_F(EngineRestart, AStoppedEngineEndsItsContainersAndLosesNothing) {
  Begin({});
  const std::string script = "trap 'echo ended; exit 9' TERM; echo 1; while :; do sleep 0.2; done";
  auto attached = RunBeside(script);
  const std::string run_id = StartBeside(script);
  engine_->Stop();
  engine_->Start();
  EXPECT_EQ(Wait(run_id).result().exit_code(), 9);
  EXPECT_EQ(Attach(run_id).Stdout(), "1\nended\n");
  const Transcript ended = attached.get();
  EXPECT_EQ(ended.Result().exit_code(), 9);
  EXPECT_EQ(ended.Stdout(), "1\nended\n");
  EXPECT_FALSE(ended.Has(v1::RunEvent::kTruncated));
}

TEST_F(EngineRestart, OneThatStaysAwayLosesAttachedRunsOnlyAndNothingStays) {
  Begin({"--live-restore"}, "event_loss_limit = \"2s\"\n");
  auto attached = RunBeside("echo 1; sleep 60");
  const std::string run_id = StartBeside(kLines);
  engine_->Kill();
  EXPECT_EQ(attached.get().Result().outcome(), v1::RunResult::FAILED);
  engine_->Start();
  EXPECT_EQ(Wait(run_id).result().exit_code(), 4);
  EXPECT_EQ(Attach(run_id).Stdout(), kAllLines);
}

}  // namespace
}  // namespace tidewaiter::testing
