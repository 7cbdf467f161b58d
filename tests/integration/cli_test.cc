// The program `tidewaiter` against the real daemon on a real engine: what a script sees of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/broker_process.h"
#include "tests/support/lab.h"
#include "tests/support/program.h"

namespace tidewaiter::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class Cli : public ::testing::Test {
 protected:
  void SetUp() override {
    TW_REQUIRE_LAB(lab);
    lab_ = lab;
    std::signal(SIGPIPE, SIG_IGN);
    broker_ = std::make_unique<BrokerProcess>(
        BrokerProcess::Options{.docker_socket = lab_.docker_socket,
                               .settings = "max_runs = 2\nmax_queued = 0\nmax_runs_per_principal = "
                                           "2\nstop_grace = \"1s\"\ndrain_timeout = \"1s\"\n"});
  }

  void TearDown() override {
    if (!broker_) return;
    EXPECT_TRUE(Eventually(std::chrono::seconds(20), [&] {
      return LabelledLeftovers(lab_.docker_socket, broker_->broker_id()).empty();
    })) << ::testing::PrintToString(LabelledLeftovers(lab_.docker_socket, broker_->broker_id()));
  }

  [[nodiscard]] std::unique_ptr<Program> Start(std::vector<std::string> arguments) const {
    return std::make_unique<Program>(
        "tidewaiter", std::move(arguments),
        std::map<std::string, std::string>{{"TIDEWAITER_SOCKET", broker_->socket_path()}});
  }

  [[nodiscard]] Program::Ended Ask(std::vector<std::string> arguments) const {
    return Start(std::move(arguments))->Wait();
  }

  // A run of a shell script, with options before the image.
  [[nodiscard]] std::vector<std::string> Shell(const std::string& script,
                                               std::vector<std::string> options = {}) const {
    options.insert(options.begin(), {"run", "-m", "64m"});
    for (const std::string& word : {lab_.image, std::string("sh"), std::string("-c"), script}) {
      options.push_back(word);
    }
    return options;
  }

  // Ids of the runs that `ps` shows.
  [[nodiscard]] std::vector<std::string> RunIds() const {
    std::vector<std::string> ids;
    std::istringstream lines(Ask({"ps", "--json"}).out);
    for (std::string line; std::getline(lines, line);) {
      ids.push_back(nlohmann::json::parse(line)["runId"]);
    }
    return ids;
  }

  Lab lab_;
  std::unique_ptr<BrokerProcess> broker_;
};

TEST_F(Cli, KeepsStdoutAndStderrApartAndExitsAsTheContainer) {
  const auto ended = Ask(Shell("echo out; echo err >&2; exit 7"));
  EXPECT_EQ(ended.out, "out\n");
  EXPECT_EQ(ended.err, "err\n");
  EXPECT_EQ(ended.status, 7);
}

TEST_F(Cli, PassesEveryByteBothWays) {
  std::string bytes;
  for (int i = 0; i < 1 << 20; ++i) bytes += static_cast<char>(i * 7 + i / 256);
  auto program = Start({"run", "-i", lab_.image, "cat"});
  program->Feed(bytes);
  const auto ended = program->Wait();
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_TRUE(ended.out == bytes) << ended.out.size() << " bytes came back";
}

TEST_F(Cli, WithoutInteractiveTheJobReadsEndOfFile) {
  auto program = Start(Shell("cat; echo end"));
  program->Feed("never read");
  EXPECT_EQ(program->Wait().out, "end\n");
}

TEST_F(Cli, ShowsOutputAsItComes) {
  auto program = Start(Shell("echo first; read line; echo $line", {"-i"}));
  EXPECT_TRUE(program->Prints("first\n"));
  program->Feed("second\n");
  EXPECT_EQ(program->Wait().out, "first\nsecond\n");
}

TEST_F(Cli, OneCtrlCCancelsAndWaitsForTheReceipt) {
  auto program = Start(Shell("echo up; sleep 300"));
  ASSERT_TRUE(program->Prints("up\n"));
  program->Signal(SIGINT);
  const auto ended = program->Wait();
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(ended.err, HasSubstr("cancelled"));
  EXPECT_THAT(ended.err, HasSubstr(": removed"));
}

TEST_F(Cli, ACancelReachesAJobThatDoesNotReadItsStdin) {
  auto program = Start(Shell("echo up; sleep 300", {"-i"}));
  ASSERT_TRUE(program->Prints("up\n"));
  program->Feed(std::string(60'000, 'x'));  // what a pipe takes without a reader
  program->Signal(SIGTERM);
  EXPECT_EQ(program->Wait().status, 130);
}

TEST_F(Cli, ASecondCtrlCStopsWaiting) {
  auto program = Start(Shell("trap '' TERM; echo up; while :; do sleep 1; done"));
  ASSERT_TRUE(program->Prints("up\n"));
  program->Signal(SIGINT);
  ASSERT_TRUE(program->Complains("cancelling"));
  program->Signal(SIGINT);
  const auto ended = program->Wait();
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(ended.err, HasSubstr("no longer waiting"));
}

TEST_F(Cli, AReaderThatGoesAwayCancels) {
  auto program = Start(Shell("while :; do echo y; done"));
  ASSERT_TRUE(program->Prints("y\n"));
  program->CloseStdout();
  const auto ended = program->Wait();
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(RunIds(), IsEmpty());
}

TEST_F(Cli, ATimeoutIsAHundredAndTwentyFour) {
  const auto ended = Ask(Shell("sleep 300", {"--timeout", "1s"}));
  EXPECT_EQ(ended.status, 124);
  EXPECT_EQ(ended.err, "tidewaiter: timed out after 1 s\n");
}

TEST_F(Cli, ACommandThatIsNotThereIsAHundredAndTwentySeven) {
  EXPECT_EQ(Ask({"run", lab_.image, "/no/such/command"}).status, 127);
}

TEST_F(Cli, ACommandThatCannotBeInvokedIsAHundredAndTwentySix) {
  EXPECT_EQ(Ask({"run", lab_.image, "/bin"}).status, 126);
}

TEST_F(Cli, AnImageThatIsNotThereIsAHundredAndTwentyFive) {
  const std::string image = lab_.registry + "/lab/none:1.0.0@sha256:" + std::string(64, '0');
  EXPECT_EQ(Ask({"run", image}).status, 125);
}

TEST_F(Cli, ADenialPrintsEveryViolationAndIsSeventySeven) {
  const auto ended = Ask({"run", "-u", "0", "--cap-add", "SYS_ADMIN", "busybox", "true"});
  EXPECT_EQ(ended.status, 77);
  EXPECT_THAT(ended.out, IsEmpty());
  EXPECT_THAT(ended.err, StartsWith("tidewaiter: denied by policy 'default': "));
  for (const char* field : {"\nimage  (", "\nuser  (", "\naddCapabilities[0]  ("}) {
    EXPECT_THAT(ended.err, HasSubstr(field));
  }
  EXPECT_THAT(ended.err, HasSubstr("\n  remedy  "));
}

TEST_F(Cli, WithoutCapacityIsSeventyFive) {
  auto first = Start(Shell("echo up; sleep 300"));
  auto second = Start(Shell("echo up; sleep 300"));
  ASSERT_TRUE(first->Prints("up\n") && second->Prints("up\n"));
  EXPECT_EQ(Ask(Shell("true")).status, 75);
  first->Signal(SIGINT);
  second->Signal(SIGINT);
  EXPECT_EQ(first->Wait().status, 130);
  EXPECT_EQ(second->Wait().status, 130);
}

TEST_F(Cli, SaysHowMuchOutputWasDropped) {
  const auto ended = Ask(Shell("head -c 300000 /dev/zero | tr '\\0' x", {"--log-bytes", "100000"}));
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, SizeIs(100000));
  EXPECT_EQ(ended.err,
            "tidewaiter: output cut: 195.3 KiB dropped beyond the limit (--log-bytes)\n");
}

TEST_F(Cli, JsonIsOneEventALine) {
  const auto ended = Ask(Shell("printf hi; exit 3", {"--json"}));
  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.err, IsEmpty());
  std::vector<std::string> kinds;
  std::istringstream lines(ended.out);
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line);
    ASSERT_THAT(event, SizeIs(1));
    const std::string& kind = event.begin().key();
    if (kind != "imageProgress") kinds.push_back(kind);
    if (kind == "output") {
      EXPECT_EQ(event["output"]["data"], "aGk=");
    }
  }
  EXPECT_EQ(kinds,
            (std::vector<std::string>{"admitted", "started", "output", "result", "receipt"}));
}

TEST_F(Cli, PsShowsARunAndCancelEndsIt) {
  auto program = Start(Shell("echo up; sleep 300"));
  ASSERT_TRUE(program->Prints("up\n"));
  const auto ids = RunIds();
  ASSERT_THAT(ids, SizeIs(1));
  EXPECT_THAT(Ask({"ps"}).out, HasSubstr(ids[0] + "  tester     running"));
  const auto cancelled = Ask({"cancel", ids[0]});
  EXPECT_EQ(cancelled.status, 0) << cancelled.err;
  EXPECT_EQ(cancelled.out, ids[0] + '\n');
  EXPECT_EQ(program->Wait().status, 130);
}

TEST_F(Cli, CancellingWhatIsNotThereIsOne) {
  const auto ended = Ask({"cancel", "--json", "nosuchrun"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.out, HasSubstr("\"reason\":\"RUN_NOT_FOUND\""));
}

TEST_F(Cli, ExplainAndPolicyCheckSayTheSame) {
  const std::string spec = broker_->folder() + "/spec.json";
  const std::string bad = broker_->folder() + "/bad.json";
  std::ofstream(spec) << R"({"image":")" << lab_.image << R"(","command":["true"]})";
  std::ofstream(bad) << R"({"image":"busybox","limits":{"pids":"0"}})";
  const auto explained = Ask({"explain", "--json", spec, bad});
  const auto checked =
      Ask({"policy", "check", "--policy", broker_->folder() + "/policy.toml", "--json", spec, bad});
  EXPECT_EQ(explained.status, 1);
  EXPECT_EQ(checked.status, 1);
  std::istringstream left(explained.out);
  std::istringstream right(checked.out);
  for (std::string one, other; std::getline(left, one) && std::getline(right, other);) {
    EXPECT_EQ(nlohmann::json::parse(one), nlohmann::json::parse(other));
  }
}

TEST_F(Cli, DoctorFindsAllWell) {
  const auto ended = Ask({"doctor", "--config", broker_->folder() + "/tidewaiter.toml"});
  EXPECT_EQ(ended.status, 0) << ended.out;
  EXPECT_THAT(ended.out, HasSubstr("engine"));
  EXPECT_THAT(ended.out, Not(HasSubstr("FAIL")));
}

TEST_F(Cli, DoctorNamesWhatIsWrong) {
  std::filesystem::permissions(broker_->folder() + "/state", std::filesystem::perms(0755));
  const auto ended = Ask({"doctor", "--json", "--config", broker_->folder() + "/tidewaiter.toml"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.out, HasSubstr(R"({"check":"state folder","state":"FAIL")"));
}

TEST_F(Cli, VersionNamesBothSides) {
  const auto ended = Ask({"version", "--json"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  const auto line = nlohmann::json::parse(ended.out);
  EXPECT_EQ(line["client"], line["broker"]);
  EXPECT_EQ(line["brokerId"], broker_->broker_id());
}

TEST_F(Cli, AuditQueryPrintsTheRecordsOfADenial) {
  ASSERT_EQ(Ask({"run", "busybox"}).status, 77);
  const auto ended = Ask({"audit", "query", "--type", "run.denied"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(nlohmann::json::parse(ended.out)["principal"], "tester");
}

TEST_F(Cli, AuditQueryFollows) {
  auto tail = Start({"audit", "query", "--follow", "--type", "run.denied"});
  ASSERT_EQ(Ask({"run", "busybox"}).status, 77);
  EXPECT_TRUE(tail->Prints("\"run.denied\""));
  tail->Signal(SIGKILL);
  EXPECT_EQ(tail->Wait().status, 128 + SIGKILL);
}

}  // namespace
}  // namespace tidewaiter::testing
