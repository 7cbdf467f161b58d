// What runs with inputs, outputs and stdin ask of a cluster besides: docs/KUBERNETES.md counts it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/fault_world.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

// Of one InputPiece (broker.proto).
constexpr std::size_t kPieceBytes = std::size_t{1} << 20U;

void SendInput(GateClient::Stream& stream, const std::string& name, const std::string& archive) {
  for (std::size_t at = 0; at < archive.size(); at += kPieceBytes) {
    v1::RunRequest request;
    request.mutable_input()->set_name(name);
    request.mutable_input()->set_data(archive.substr(at, kPieceBytes));
    request.mutable_input()->set_last(at + kPieceBytes >= archive.size());
    stream.Write(request);
  }
}

std::string InputOf(std::size_t bytes) {
  return TarBytes().File("data", std::string(bytes, 'x')).Ended();
}

class ClusterFileRequests : public ::testing::Test {
 protected:
  // The first one asks for the cluster's version as well, once for each broker.
  void SetUp() override {
    EXPECT_EQ(world_.Run(world_.Spec({"exit", "7"})).Result().exit_code(), 7);
    world_.faulty().Disarm();
  }

  [[nodiscard]] v1::StartRun Start(const std::vector<std::string>& command,
                                   const std::vector<std::string>& inputs,
                                   const std::vector<std::string>& outputs) const {
    v1::StartRun start;
    v1::RunSpec& spec = *start.mutable_spec();
    spec = world_.Spec(command);
    for (const std::string& name : inputs) {
      v1::Mount& mount = *spec.add_mounts();
      mount.set_target("/in/" + name);
      mount.mutable_input()->set_name(name);
    }
    for (const std::string& name : outputs) {
      v1::Mount& mount = *spec.add_mounts();
      mount.set_target("/out/" + name);
      mount.mutable_output()->set_name(name);
    }
    return start;
  }
  // How many of them it has been given whole.
  void ExpectOutputs(const Transcript& transcript, std::size_t count) {
    std::size_t whole = 0;
    for (const v1::RunEvent& event : transcript.events) {
      if (!event.has_output_piece() || !event.output_piece().has_end()) continue;
      EXPECT_EQ(event.output_piece().end().error(), "");
      EXPECT_EQ(event.output_piece().end().entries(), 1U);
      ++whole;
    }
    EXPECT_EQ(whole, count);
    EXPECT_EQ(transcript.Result().exit_code(), 7) << transcript.Result().ShortDebugString();
    EXPECT_TRUE(transcript.Receipt().complete());
  }
  // Of all runs since SetUp, once they are over.
  std::vector<std::string> Calls() {
    EXPECT_THAT(world_.Settle(), IsEmpty());
    return world_.faulty().Calls();
  }

  FaultWorld world_{FaultWorld::OnCluster{.pace = std::chrono::milliseconds(100)},
                    "reap_interval = \"1h\"\n"};
};

TEST_F(ClusterFileRequests, AreOneMoreForEachSecretAndOutputAndOneForTheirEnd) {
  const Transcript transcript = world_.Run(Start({"exit", "7"}, {"big", "small"}, {"a", "b"}),
                                           [](const v1::RunEvent& event, auto& stream, auto&) {
                                             if (!event.has_admitted()) return;
                                             SendInput(stream, "big", InputOf(2'500'000));
                                             SendInput(stream, "small", InputOf(10));
                                           });
  ExpectOutputs(transcript, 2);
  EXPECT_THAT(Calls(), ElementsAre("POST /networkpolicies", "GET /networkpolicies/*", "POST /jobs",
                                   "PATCH /networkpolicies/*", "POST /secrets", "POST /secrets",
                                   "POST /secrets", "POST /secrets", "PATCH /jobs/*",
                                   "GET /pods/*/log", "GET /pods/*/exec", "GET /pods/*/exec",
                                   "DELETE /jobs/*", "GET /secrets", "DELETE /networkpolicies/*"));
}

// The carrier keeps even the last one until the broker has it.
TEST_F(ClusterFileRequests, AreOneMoreForAnOutputThatIsCutOff) {
  bool cut = false;
  world_.faulty().Arm([&cut](std::size_t, const std::string& call) {
    const bool now = call.ends_with("/exec") && !std::exchange(cut, true);
    return now ? EngineFault::kTruncated : EngineFault::kNone;
  });
  ExpectOutputs(world_.Run(Start({"exit", "7"}, {}, {"a"}), {}), 1);
  const std::vector<std::string> calls = Calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "GET /pods/*/exec"), 2);
}

TEST_F(ClusterFileRequests, AreNoMoreForARunThatLastsAndReadsItsStdin) {
  v1::StartRun start = Start({"drain", "7"}, {"code"}, {"results"});
  start.set_stdin(true);
  const Transcript transcript =
      world_.Run(start, [](const v1::RunEvent& event, auto& stream, auto&) {
        if (event.has_admitted()) SendInput(stream, "code", InputOf(10));
        if (!event.has_started()) return;
        v1::RunRequest request;
        for (int i = 0; i < 3; ++i) {
          request.set_stdin("more");
          stream.Write(request);
          // What is tested: that time alone costs no request.
          std::this_thread::sleep_for(std::chrono::seconds(1));
        }
        request.mutable_stdin_end();
        stream.Write(request);
      });
  ExpectOutputs(transcript, 1);
  const std::vector<std::string> expected{
      "POST /networkpolicies",    "GET /networkpolicies/*", "POST /jobs",
      "PATCH /networkpolicies/*", "POST /secrets",          "PATCH /jobs/*",
      "GET /pods/*/log",          "GET /pods/*/attach",     "GET /pods/*/exec",
      "DELETE /jobs/*",           "GET /secrets",           "DELETE /networkpolicies/*"};
  // stdin and the log are begun side by side.
  EXPECT_THAT(Calls(), UnorderedElementsAreArray(expected));
}

// Its pod is kept until its end is on the broker's disk, and is then stopped.
TEST_F(ClusterFileRequests, AreOneMoreForARunThatIsDetached) {
  v1::StartRun start = Start({"exit", "7"}, {"code"}, {"results"});
  start.set_detach(true);
  Transcript transcript = world_.Run(start, [](const v1::RunEvent& event, auto& stream, auto&) {
    if (event.has_admitted()) SendInput(stream, "code", InputOf(10));
  });
  world_.WaitDetached(transcript);
  world_.FetchDetached(transcript, "results");
  ExpectOutputs(transcript, 1);
  EXPECT_THAT(Calls(), ElementsAre("POST /networkpolicies", "GET /networkpolicies/*", "POST /jobs",
                                   "PATCH /networkpolicies/*", "POST /secrets", "PATCH /jobs/*",
                                   "GET /pods/*/log", "GET /pods/*/exec", "PATCH /jobs/*",
                                   "DELETE /jobs/*", "GET /secrets", "DELETE /networkpolicies/*"));
}

}  // namespace
}  // namespace tidewaiter::testing
