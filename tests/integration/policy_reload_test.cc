// Policies that change while the real broker serves, as an operator and callers see it. The engine
// is a stand-in: what is tested ends before it or needs a run that waits.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/program.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using Seconds = std::chrono::seconds;

constexpr uid_t kAlice = 64001;
constexpr char kAlicesTable[] =
    "[[principal]]\nname = \"alice\"\nuid = 64001\nroles = [\"run\", \"audit\"]\n";

class PolicyReload : public ::testing::Test {
 protected:
  // The policy file of the broker from its next reload on.
  void WritePolicy(const std::string& text, const std::string& name = "policy.toml") {
    std::ofstream(broker_.folder() + "/" + name) << text;
    ::chmod((broker_.folder() + "/" + name).c_str(), 0600);
  }
  Program::Ended Ask(std::vector<std::string> arguments) {
    return Program("tidewaiter", std::move(arguments),
                   {{"TIDEWAITER_SOCKET", broker_.socket_path()}})
        .Wait();
  }
  // The hash in force, by the operator's command.
  std::string Reload() {
    const auto ended = Ask({"policy", "reload", "--json"});
    EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
    return nlohmann::json::parse(ended.out).value("policyHash", "");
  }
  std::vector<nlohmann::json> Records(const std::string& type) {
    std::vector<nlohmann::json> found;
    for (const std::string& line : GateClient(broker_.socket_path()).AuditLines()) {
      auto record = nlohmann::json::parse(line);
      if (record.value("type", "") == type) found.push_back(std::move(record));
    }
    return found;
  }

  // Of a run that ends at once.
  static v1::RunSpec Spec() {
    v1::RunSpec spec;
    spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
    spec.add_command("exit");
    spec.add_command("0");
    return spec;
  }

  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(kAlicesTable),
                         .settings = "socket_mode = \"0666\"\n"}};
};

TEST_F(PolicyReload, TheCommandPutsTheFileInForce) {
  WritePolicy(BrokerProcess::StandInPolicy("[limits.pids]\nmax = 64\n"));
  const auto text = Ask({"policy", "reload"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("in force: sha256:"), HasSubstr("before:   sha256:")));
  const std::string hash = Reload();
  GateClient client(broker_.socket_path());
  v1::RunSpec spec = Spec();
  spec.mutable_limits()->set_pids(65);
  const Transcript denied = client.Run(spec);
  EXPECT_EQ(denied.Denied().policy_hash(), hash);
  EXPECT_THAT(denied.Denied().violations(0).rule(), "limit.too-large");
}

TEST_F(PolicyReload, SighupPutsTheFileInForceAndItsRecordNamesTheSender) {
  WritePolicy(BrokerProcess::StandInPolicy("[limits.pids]\nmax = 64\n"));
  ASSERT_EQ(::kill(broker_.pid(), SIGHUP), 0);
  ASSERT_TRUE(Eventually(Seconds(20), [&] { return Records("policy.loaded").size() == 2; }));
  const auto loaded = Records("policy.loaded");
  EXPECT_THAT(loaded[1]["detail"], HasSubstr("SIGHUP of pid " + std::to_string(::getpid())));
  EXPECT_NE(loaded[0]["policy_hash"], loaded[1]["policy_hash"]);
  EXPECT_TRUE(broker_.Running());
}

TEST_F(PolicyReload, AFileWithProblemsIsToldPlaceByPlaceAndChangesNothing) {
  WritePolicy("version = 1\nmodus = 1\n[user]\nallow_root = 7\n");
  const auto ended = Ask({"policy", "reload"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("policy.toml:2:1: unknown key 'modus'"),
                               HasSubstr("policy.toml:4:14:"), HasSubstr("stays in force")));
  EXPECT_EQ(GateClient(broker_.socket_path()).Run(Spec()).Result().outcome(),
            v1::RunResult::EXITED);
  EXPECT_THAT(Ask({"doctor"}).out, HasSubstr("would not load now"));
}

TEST_F(PolicyReload, DoctorSaysThatTheFileHasChanged) {
  WritePolicy(BrokerProcess::StandInPolicy("[limits.pids]\nmax = 64\n"));
  EXPECT_THAT(Ask({"doctor"}).out, HasSubstr("the files have changed since"));
}

TEST_F(PolicyReload, OnlyAnOperatorMayAskForIt) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  grpc::ClientContext context;
  v1::ReloadPolicyResponse response;
  const grpc::Status status =
      alice->broker().ReloadPolicy(&context, v1::ReloadPolicyRequest(), &response);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "ROLE_MISSING");
  EXPECT_EQ(Records("policy.loaded").size(), 1U);
}

TEST_F(PolicyReload, NorMayAnybodyElseChangeTheAuditLogsKey) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  grpc::ClientContext context;
  v1::RotateAuditKeyResponse response;
  const grpc::Status status = alice->broker().RotateAuditKey(&context, {}, &response);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "ROLE_MISSING");
  EXPECT_TRUE(Records("audit.key_changed").empty());
}

// A stream opened before the reload, whose spec comes after it, is no way around it.
TEST_F(PolicyReload, AStreamThatWasOpenBeforeIsDecidedByThePolicyAfter) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + Seconds(30));
  const auto stream = alice->broker().Run(&context);
  // Comes after the stream's beginning on the same connection.
  grpc::ClientContext list_context;
  v1::ListResponse list;
  ASSERT_TRUE(alice->broker().List(&list_context, v1::ListRequest(), &list).ok());
  WritePolicy(BrokerProcess::StandInPolicy());  // without alice
  Reload();
  v1::RunRequest request;
  *request.mutable_start()->mutable_spec() = Spec();
  stream->Write(request);
  v1::RunEvent event;
  while (stream->Read(&event)) EXPECT_TRUE(event.has_denied());
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(Records("run.admitted").empty());
  ASSERT_EQ(Records("run.denied").size(), 1U);
  EXPECT_EQ(Records("run.denied")[0]["violations"][0]["rule"], "principal.unknown");
}

TEST_F(PolicyReload, ACallerThatIsNoPrincipalAnyMoreIsRefusedOnItsOldConnection) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  EXPECT_EQ(alice->Run(Spec()).Result().outcome(), v1::RunResult::EXITED);
  WritePolicy(BrokerProcess::StandInPolicy());
  Reload();
  // The connection is closed, or a call that was quicker hears who it is not.
  const Transcript refused = alice->Run(Spec());
  EXPECT_FALSE(refused.status.ok());
  EXPECT_THAT(refused.Reason(), ::testing::AnyOf("CALLER_UNKNOWN", ""));
  EXPECT_EQ(Records("run.admitted").size(), 1U);
}

// At once, not with the next record that it would have seen.
TEST_F(PolicyReload, WhoFollowsTheLogStopsWithItsRole) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + Seconds(30));
  v1::TailRequest request;
  request.set_from_start(true);
  request.mutable_filter()->set_type("broker.started");
  const auto reader = alice->audit().Tail(&context, request);
  v1::AuditRecord record;
  ASSERT_TRUE(reader->Read(&record));
  WritePolicy(BrokerProcess::StandInPolicy());
  Reload();
  EXPECT_FALSE(reader->Read(&record));
  EXPECT_EQ(ErrorInfoOf(reader->Finish()).reason(), "ROLE_MISSING");
}

TEST_F(PolicyReload, AnIdleConnectionOfWhoIsNoPrincipalAnyMoreIsClosed) {
  const UniqueFd alice = ConnectAs(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice.valid());
  ASSERT_EQ(::fcntl(alice.get(), F_SETFL, 0), 0);  // blocking, for at most this long
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  ASSERT_EQ(::setsockopt(alice.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
  // The server's first bytes: the connection has been taken in.
  char byte = 0;
  ASSERT_EQ(::recv(alice.get(), &byte, 1, 0), 1);
  WritePolicy(BrokerProcess::StandInPolicy());
  Reload();
  ssize_t got = 1;
  while (got > 0) got = ::recv(alice.get(), &byte, 1, 0);
  EXPECT_EQ(got, 0);
}

TEST_F(PolicyReload, WhatIsOnTheDiskIsToldToOperatorsAlone) {
  WritePolicy("version = 1\nsecret_project = 1\n");
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  grpc::ClientContext context;
  v1::DiagnoseResponse response;
  ASSERT_TRUE(alice->broker().Diagnose(&context, v1::DiagnoseRequest(), &response).ok());
  EXPECT_EQ(response.ShortDebugString().find("secret_project"), std::string::npos);
  EXPECT_THAT(Ask({"doctor"}).out, HasSubstr("secret_project"));
}

TEST_F(PolicyReload, AShadowPolicyIsTriedOnLiveRunsAndRecordsWhatItWouldDeny) {
  WritePolicy(BrokerProcess::StandInPolicy("[limits.memory]\nmax = \"1GiB\"\n"),
              "policy.next.toml");
  EXPECT_THAT(Ask({"policy", "reload"}).out, HasSubstr("tried:    sha256:"));
  GateClient client(broker_.socket_path());
  v1::RunSpec spec = Spec();
  spec.mutable_limits()->set_memory_bytes(std::int64_t{2} << 30U);
  EXPECT_EQ(client.Run(spec).Result().outcome(), v1::RunResult::EXITED);
  const auto admitted = Records("run.admitted");
  ASSERT_EQ(admitted.size(), 1U);
  EXPECT_EQ(admitted[0]["shadow"]["admitted"], false);
  EXPECT_EQ(admitted[0]["shadow"]["violations"][0]["rule"], "limit.too-large");
  EXPECT_EQ(admitted[0]["shadow"]["policy_hash"],
            Records("policy.loaded")[1]["shadow_policy_hash"]);
}

TEST_F(PolicyReload, ExplainAsksTheShadowPolicy) {
  WritePolicy(BrokerProcess::StandInPolicy("[limits.memory]\nmax = \"1GiB\"\n"),
              "policy.next.toml");
  std::ofstream(folder_ / "spec.json")
      << "{\"image\": \"127.0.0.1:5000/lab/toolbox:1.0.0@" << StandInEngine::kDigest
      << "\", \"limits\": {\"memoryBytes\": \"2147483648\"}}";
  EXPECT_THAT(Ask({"explain", "--shadow", folder_ / "spec.json"}).err, HasSubstr("none is tried"));
  Reload();
  EXPECT_EQ(Ask({"explain", folder_ / "spec.json"}).status, 0);
  const auto tried = Ask({"explain", "--shadow", folder_ / "spec.json"});
  EXPECT_EQ(tried.status, 1);
  EXPECT_THAT(tried.out, HasSubstr("limit.too-large"));
}

}  // namespace
}  // namespace tidewaiter::testing
