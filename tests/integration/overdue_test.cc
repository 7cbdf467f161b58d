// What should be gone and is not: what the operator and the orchestrator's probe see of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/strong_id.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/http_probe.h"
#include "tests/support/program.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kPatience(20);
constexpr const char* kAdvice = ": retried until they succeed; see the log and doctor --leaks";

class OverdueTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Eventually(kPatience, [&] { return ConnectProbe(health_).valid(); }));
    engine_.SetFaults([](std::size_t, const std::string& call) {
      return call.starts_with("DELETE /containers/") ? StandInEngine::Fault::kError500
                                                     : StandInEngine::Fault::kNone;
    });
  }

  void PlantStray() {
    engine_.PlantContainer("tw-stray", {{"io.tidewaiter.broker", broker_.broker_id()},
                                        {"io.tidewaiter.run", RandomId()}});
  }
  void RunOne() {
    v1::RunSpec spec;
    spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
    for (const char* word : {"exit", "0"}) spec.add_command(word);
    static_cast<void>(GateClient(broker_.socket_path()).Run(spec));
  }
  // What is kept of a detached run, and holds what is not the broker's: a former broker has begun
  // to remove it.
  std::string PlantKept() {
    engine_.SetFaults({});
    GateClient client(broker_.socket_path());
    grpc::ClientContext context;
    v1::StartRequest request;
    request.mutable_spec()->set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") +
                                      StandInEngine::kDigest);
    for (const char* word : {"exit", "0"}) request.mutable_spec()->add_command(word);
    v1::StartResponse response;
    EXPECT_TRUE(client.broker().Start(&context, request, &response).ok());
    const fs::path kept = Kept(response.run_id());
    EXPECT_TRUE(Eventually(kPatience, [&] { return fs::exists(kept / "result.pb"); }));
    broker_.Kill();
    std::ofstream(kept / "foreign") << "x";
    fs::rename(kept / "result.pb", kept / "removed.pb");
    broker_.Restart();
    return response.run_id();
  }
  [[nodiscard]] fs::path Kept(const std::string& run_id) const {
    return fs::path(broker_.runs_folder()).parent_path() / "kept" / run_id;
  }
  std::string ReasonOfWait(const std::string& run_id) {
    GateClient client(broker_.socket_path());
    grpc::ClientContext context;
    v1::WaitRequest request;
    request.set_run_id(run_id);
    v1::WaitResponse response;
    return ErrorInfoOf(client.broker().Wait(&context, request, &response)).reason();
  }
  // How many records of the run say so.
  [[nodiscard]] std::size_t Records(const std::string& run_id, const std::string& type) const {
    std::ifstream log(broker_.audit_file());
    std::size_t found = 0;
    for (std::string line; std::getline(log, line);) {
      if (line.find(run_id) != std::string::npos && line.find(type) != std::string::npos) ++found;
    }
    return found;
  }
  [[nodiscard]] bool ProbeSays(const std::string& text) const {
    return Eventually(kPatience,
                      [&] { return Probe(health_, "/readyz").find(text) != std::string::npos; });
  }
  // The line of `doctor` about the removals.
  v1::DiagnoseResponse::Check Reaper() {
    GateClient client(broker_.socket_path());
    grpc::ClientContext context;
    v1::DiagnoseResponse answer;
    EXPECT_TRUE(client.broker().Diagnose(&context, {}, &answer).ok());
    for (const auto& check : answer.checks()) {
      if (check.name() == "reaper") return check;
    }
    return {};
  }

  ScratchFolder folder_;
  const std::string health_ = folder_ / "health.sock";
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(),
                         .settings = "teardown_timeout = \"1s\"\nreap_interval = \"1s\"\n"
                                     "reap_retry_min = \"100ms\"\nreap_retry_max = \"100ms\"\n"
                                     "health_socket = \"" +
                                     health_ + "\"\n"}};
};

TEST_F(OverdueTest, WhereNothingIsOverdueTheDoctorSaysSo) {
  EXPECT_TRUE(Reaper().ok());
  EXPECT_EQ(Reaper().detail(), "0 removal(s) overdue");
}

TEST_F(OverdueTest, ARemovalThatFailsIsTheDoctorsUntilItSucceeds) {
  RunOne();
  EXPECT_FALSE(Reaper().ok());
  EXPECT_EQ(Reaper().detail(), std::string("1 removal(s) overdue") + kAdvice);
  engine_.SetFaults({});
  EXPECT_TRUE(Eventually(kPatience, [&] { return Reaper().ok(); })) << Reaper().detail();
}

TEST_F(OverdueTest, AStrayThatWouldNotGoIsTheDoctorsUntilItHasGone) {
  PlantStray();
  ASSERT_TRUE(ProbeSays("1 removal(s) overdue"));
  EXPECT_FALSE(Reaper().ok());
  EXPECT_EQ(Reaper().detail(),
            std::string("0 removal(s) overdue, and 1 of what no run knows") + kAdvice);
  const Program::Ended doctor =
      Program("tidewaiter", {"doctor", "--socket", broker_.socket_path()}).Wait();
  EXPECT_EQ(doctor.status, 1) << doctor.err;
  EXPECT_THAT(doctor.out, HasSubstr("and 1 of what no run knows"));
  engine_.SetFaults({});
  EXPECT_TRUE(Eventually(kPatience, [&] { return Reaper().ok(); })) << Reaper().detail();
}

TEST_F(OverdueTest, AKeptRunThatWouldNotGoIsTheDoctorsUntilItHasGoneAndIsGivenToNobody) {
  const std::string run_id = PlantKept();
  ASSERT_TRUE(ProbeSays("1 removal(s) overdue"));
  EXPECT_EQ(
      Reaper().detail(),
      std::string("0 removal(s) overdue, and 1 of kept runs whose retention is over") + kAdvice);
  EXPECT_EQ(ReasonOfWait(run_id), "RUN_NOT_FOUND");
  const Program::Ended leaks =
      Program("tidewaiter", {"doctor", "--leaks", "--socket", broker_.socket_path()}).Wait();
  EXPECT_EQ(leaks.status, 1) << leaks.err;
  EXPECT_THAT(leaks.out, HasSubstr("overdue"));
  EXPECT_THAT(leaks.out, HasSubstr("it holds 'foreign'"));
  EXPECT_EQ(Records(run_id, "run.expired"), 0U);
  fs::remove(Kept(run_id) / "foreign");
  EXPECT_TRUE(Eventually(kPatience, [&] { return Reaper().ok() && !fs::exists(Kept(run_id)); }));
  EXPECT_EQ(Records(run_id, "run.expired"), 1U);
  EXPECT_EQ(Records(run_id, "teardown.settled"), 1U);
}

TEST_F(OverdueTest, TheProbeCountsRunsAndStraysTogether) {
  PlantStray();
  RunOne();
  EXPECT_TRUE(ProbeSays("2 removal(s) overdue")) << Probe(health_, "/readyz");
  EXPECT_EQ(StatusOf(Probe(health_, "/readyz")), 200);
  EXPECT_EQ(Reaper().detail(),
            std::string("1 removal(s) overdue, and 1 of what no run knows") + kAdvice);
  engine_.SetFaults({});
  EXPECT_TRUE(ProbeSays(R"("name":"reaper","status":"ok")")) << Probe(health_, "/readyz");
}

TEST_F(OverdueTest, AComparisonThatFailsIsShownUntilItWorks) {
  engine_.SetFaults([](std::size_t, const std::string& call) {
    return call == "GET /containers/json" ? StandInEngine::Fault::kError500
                                          : StandInEngine::Fault::kNone;
  });
  EXPECT_TRUE(ProbeSays("0 removal(s) overdue, the comparison with the engine fails"));
  EXPECT_EQ(StatusOf(Probe(health_, "/readyz")), 200);
  EXPECT_FALSE(Reaper().ok());
  EXPECT_EQ(Reaper().detail(),
            "0 removal(s) overdue; the comparison with the engine fails, so that strays stay: see "
            "the log");
  engine_.SetFaults({});
  EXPECT_TRUE(ProbeSays(R"("name":"reaper","status":"ok")")) << Probe(health_, "/readyz");
  EXPECT_TRUE(Reaper().ok());
}

}  // namespace
}  // namespace tidewaiter::testing
