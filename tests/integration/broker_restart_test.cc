// Detached runs outlive their broker, however it ends, on a real engine.
#include <gmock/gmock.h>

#include <chrono>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "tests/support/detached_world.h"
#include "tests/support/http_exchange.h"

namespace tidewaiter::testing {
namespace {

using ::testing::HasSubstr;

class BrokerRestart : public DetachedWorld {
 protected:
  // Behind every broker's back: `request` as "GET /containers/...".
  HttpAnswer AskEngine(const std::string& request) const {
    const UniqueFd engine = ConnectTo(lab_.docker_socket);
    EXPECT_TRUE(SendAll(engine.get(), request + " HTTP/1.1\r\nHost: docker\r\n\r\n"));
    return ReadAnswer(engine.get(), false);
  }
  // Waits until the engine says that a container of this broker has ended.
  void AwaitExit() const {
    const std::string ended =
        "GET /v1.41/containers/json?all=1&filters=%7B%22status%22%3A%5B%22exited"
        "%22%5D%2C%22label%22%3A%5B%22io.tidewaiter.broker%3D" +
        broker_->broker_id() + "%22%5D%7D";
    ASSERT_TRUE(
        Eventually(kWithin, [&] { return AskEngine(ended).body.find("Id") != std::string::npos; }));
  }
  // How often the log has that type of record for the run.
  std::size_t Records(const std::string& run_id, const std::string& type) {
    std::size_t count = 0;
    for (const std::string& line : client_->AuditLines(run_id)) {
      if (line.find("\"" + type + "\"") != std::string::npos) ++count;
    }
    return count;
  }
};

TEST_F(BrokerRestart, AKilledBrokersRunGoesOnAndEndsAsItself) {
  const std::string run_id = Start(Shell("echo begun; sleep 3; echo ended; exit 7")).run_id();
  AwaitOutput(run_id, "begun\n");
  KillAndRestart();
  EXPECT_EQ(Attach(run_id).Stdout(), "begun\nended\n");
  const v1::WaitResponse ended = Wait(run_id);
  EXPECT_EQ(ended.result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(ended.result().exit_code(), 7);
  EXPECT_TRUE(ended.receipt().complete());
  EXPECT_EQ(Records(run_id, "run.finished"), 1U);
  EXPECT_EQ(Records(run_id, "run.admitted"), 1U);
}

TEST_F(BrokerRestart, WhatEndsWhileThereIsNoBrokerKeepsItsStatusAndItsOutput) {
  const std::string run_id = Start(Shell("echo begun; sleep 3; echo ended; exit 3")).run_id();
  AwaitOutput(run_id, "begun\n");
  broker_->Kill();
  AwaitExit();
  broker_->Restart();
  Reconnect();
  const v1::WaitResponse ended = Wait(run_id);
  EXPECT_EQ(ended.result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(ended.result().exit_code(), 3);
  EXPECT_EQ(Attach(run_id).Stdout(), "begun\nended\n");
}

TEST_F(BrokerRestart, ATimeoutThatPassesWhileThereIsNoBrokerEndsTheRunAtTheNextOnesStart) {
  v1::RunSpec spec = Shell("echo begun; sleep 1000");
  spec.mutable_limits()->mutable_timeout()->set_seconds(2);
  const std::string run_id = Start(spec).run_id();
  AwaitOutput(run_id, "begun\n");
  broker_->Kill();
  std::this_thread::sleep_for(std::chrono::seconds(3));  // what is tested: an absence beyond it
  broker_->Restart();
  Reconnect();
  EXPECT_EQ(Wait(run_id).result().outcome(), v1::RunResult::TIMED_OUT);
}

TEST_F(BrokerRestart, AStoppedBrokerLeavesItsRunsAndSaysSo) {
  const std::string run_id = Start(Shell("echo begun; sleep 3; echo ended")).run_id();
  AwaitOutput(run_id, "begun\n");
  EXPECT_EQ(broker_->Stop(), 0);
  EXPECT_THAT(broker_->Log(),
              HasSubstr("info: drained: 0 run(s) stopped before their end, 1 detached "
                        "and 0 overdue left to the next broker"));
  EXPECT_EQ(LabelledLeftovers(lab_.docker_socket, broker_->broker_id()).size(), 1U);
  broker_->Restart();
  Reconnect();
  EXPECT_EQ(Wait(run_id).result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(Attach(run_id).Stdout(), "begun\nended\n");
}

TEST_F(BrokerRestart, EveryByteIsThereHoweverOftenTheBrokerIsKilled) {
  v1::RunSpec spec = Shell(
      "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i; printf '\\200\\377%d' $i >&2; "
      "sleep 0.1; done");
  const std::string run_id = Start(spec).run_id();
  for (const char* line : {"line 10\n", "line 20\n", "line 30\n"}) {
    AwaitOutput(run_id, line);
    KillAndRestart();
  }
  std::string out;
  std::string err;
  for (int i = 1; i <= 60; ++i) {
    out += "line " + std::to_string(i) + "\n";
    err += "\200\377" + std::to_string(i);
  }
  const Transcript transcript = Attach(run_id);
  EXPECT_EQ(transcript.Stdout(), out);
  EXPECT_EQ(transcript.Stderr(), err);
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
}

TEST_F(BrokerRestart, ItsOutputsCanBeFetchedAfterwards) {
  ScratchFolder folder;
  const Program::Ended started =
      Ask({"run", "-d", "--mount", "type=output,source=results,target=/out", lab_.image, "sh", "-c",
           "echo begun; sleep 3; echo made >/out/it"});
  ASSERT_EQ(started.status, 0) << started.err;
  const std::string run_id = started.out.substr(0, started.out.find('\n'));
  AwaitOutput(run_id, "begun\n");
  KillAndRestart();
  EXPECT_EQ(Ask({"wait", run_id}).status, 0);
  const Program::Ended fetched = Ask({"fetch", run_id, "results=" + (folder / "out")});
  EXPECT_EQ(fetched.status, 0) << fetched.err;
  EXPECT_EQ(Read(std::filesystem::path(folder / "out") / "it"), "made\n");
}

TEST_F(BrokerRestart, AnAdoptedRunCanBeCancelled) {
  const std::string run_id = Start(Shell("echo begun; sleep 1000")).run_id();
  AwaitOutput(run_id, "begun\n");
  KillAndRestart();
  EXPECT_EQ(Ask({"cancel", run_id}).status, 0);
  EXPECT_EQ(Wait(run_id).result().outcome(), v1::RunResult::CANCELLED);
}

TEST_F(BrokerRestart, WhatSomebodyRemovedMeanwhileIsLostWithWhatItHadSaid) {
  const std::string run_id = Start(Shell("echo begun; sleep 1000")).run_id();
  AwaitOutput(run_id, "begun\n");
  broker_->Kill();
  for (const std::string& left : LabelledLeftovers(lab_.docker_socket, broker_->broker_id())) {
    const std::string container = left.substr(left.find(' ') + 1);
    EXPECT_EQ(AskEngine("DELETE /v1.41/containers/" + container + "?force=1").status, 204);
  }
  broker_->Restart();
  Reconnect();
  EXPECT_EQ(Wait(run_id).result().outcome(), v1::RunResult::LOST);
  EXPECT_EQ(Attach(run_id).Stdout(), "begun\n");
}

}  // namespace
}  // namespace tidewaiter::testing
