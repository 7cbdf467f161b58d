// The audit log's records on their way out of the real daemon.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/datagram_listener.h"
#include "tests/support/gate_client.h"
#include "tests/support/journal_fields.h"
#include "tests/support/program.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Forwarding : public ::testing::Test {
 protected:
  void Start(const std::string& audit_table) {
    broker_.emplace(BrokerProcess::Options{.docker_socket = folder_ / "engine.sock",
                                           .policy = BrokerProcess::StandInPolicy(),
                                           .tables = "[audit]\n" + audit_table});
  }
  // Whether a run is admitted, runs and ends.
  bool RunSucceeds() {
    v1::RunSpec spec;
    spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
    spec.add_command("exit");
    spec.add_command("0");
    GateClient client(broker_->socket_path());
    return client.Run(spec).Has(v1::RunEvent::kResult);
  }
  std::string Doctor() {
    return Program("tidewaiter", {"doctor", "--socket", broker_->socket_path()}).Wait().out;
  }
  std::vector<std::string> LinesOfLog() {
    std::ifstream file(broker_->audit_file());
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  const ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  std::optional<BrokerProcess> broker_;
};

TEST_F(Forwarding, JournaldGetsEveryRecordFromTheFirstToTheLastByteForByte) {
  DatagramListener journald(folder_ / "journal");
  Start("journald = true\njournald_socket = \"" + (folder_ / "journal") + "\"\n");
  EXPECT_TRUE(RunSucceeds());
  EXPECT_THAT(Doctor(), HasSubstr("journald '" + (folder_ / "journal") + "': "));
  EXPECT_EQ(broker_->Stop(), 0);
  const std::vector<std::string> lines = LinesOfLog();
  EXPECT_THAT(lines.front(), HasSubstr("broker.started"));
  EXPECT_THAT(lines.back(), HasSubstr("broker.stopped"));
  for (const std::string& line : lines) {
    const auto message = journald.Receive();
    ASSERT_TRUE(message.has_value()) << line;
    EXPECT_EQ(JournalFields(message->payload).value().at("TIDEWAITER_RECORD"), line);
  }
}

TEST_F(Forwarding, ASyslogServerThatHangsHoldsUpNoRunAndNoStop) {
  // Its queue is full before the broker has anything to say.
  DatagramListener hung(folder_ / "log");
  hung.Fill();
  Start("syslog = \"unix:" + (folder_ / "log") + "\"\n");
  EXPECT_TRUE(RunSucceeds());
  EXPECT_THAT(Doctor(), HasSubstr("record(s) behind"));
  EXPECT_EQ(broker_->Stop(), 0);
}

TEST_F(Forwarding, WhatADestinationMissedItGetsFromTheNextBroker) {
  Start("syslog = \"unix:" + (folder_ / "log") + "\"\n");
  EXPECT_TRUE(RunSucceeds());
  EXPECT_TRUE(Eventually(
      [&] { return Doctor().find("syslog '" + (folder_ / "log") + "'") != std::string::npos; }));
  EXPECT_THAT(Doctor(), AllOf(HasSubstr("FAIL"), HasSubstr("No such file or directory")));
  broker_->Kill();
  const std::size_t missed = LinesOfLog().size();
  DatagramListener server(folder_ / "log");
  broker_->Restart();
  const std::vector<std::string> lines = LinesOfLog();
  for (std::size_t i = 0; i < missed; ++i) {
    const auto message = server.Receive();
    ASSERT_TRUE(message.has_value());
    EXPECT_THAT(message->payload, HasSubstr(" tidewaiter ")) << i;
    EXPECT_THAT(message->payload, ::testing::EndsWith("] " + lines.at(i)));
  }
}

TEST_F(Forwarding, WithoutASinkTheDoctorSaysNothingOfCheckpoints) {
  Start("");
  EXPECT_THAT(Doctor(), AllOf(Not(HasSubstr("checkpoints")), Not(HasSubstr("forwarding"))));
}

}  // namespace
}  // namespace tidewaiter::testing
