// A run directory that cannot be believed: what the auditor and the operator see of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/strong_id.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class SetAside : public ::testing::Test {
 protected:
  void SetUp() override {
    broker_.Kill();
    const fs::path run = fs::path(broker_.runs_folder()) / run_id_;
    fs::create_directory(run);
    fs::permissions(run, fs::perms(0700));
    std::ofstream(run / "run.pb") << "torn";
    fs::permissions(run / "run.pb", fs::perms(0600));
    broker_.Restart();
  }

  // The line of `doctor` about the run directories.
  v1::DiagnoseResponse::Check Journal() {
    GateClient client(broker_.socket_path());
    grpc::ClientContext context;
    v1::DiagnoseResponse answer;
    EXPECT_TRUE(client.broker().Diagnose(&context, {}, &answer).ok());
    for (const auto& check : answer.checks()) {
      if (check.name() == "journal") return check;
    }
    return {};
  }

  const std::string run_id_ = RandomId();
  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{
      {.docker_socket = folder_ / "engine.sock", .policy = BrokerProcess::StandInPolicy()}};
};

TEST_F(SetAside, DirectoryIsInTheAuditLogWithItsRun) {
  const auto recorded = [&] {
    std::ostringstream log;
    log << std::ifstream(broker_.audit_file()).rdbuf();
    return log.str().find("\"run_id\":\"" + run_id_ + "\"") != std::string::npos &&
           log.str().find("journal.set_aside") != std::string::npos;
  };
  EXPECT_TRUE(Eventually(std::chrono::seconds(20), recorded));
}

TEST_F(SetAside, DoctorFailsUntilSomebodyHasMovedTheDirectoryAway) {
  const fs::path aside = fs::path(broker_.runs_folder()).parent_path() / "set-aside";
  EXPECT_FALSE(Journal().ok());
  EXPECT_THAT(Journal().detail(), HasSubstr("1 run directory set aside"));
  for (const auto& left : fs::directory_iterator(aside)) fs::remove_all(left);
  EXPECT_TRUE(Journal().ok()) << Journal().detail();
}

}  // namespace
}  // namespace tidewaiter::testing
