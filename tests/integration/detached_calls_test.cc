// What the calls about a detached run answer, on an engine that stands in.
#include <grpcpp/completion_queue.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

constexpr std::chrono::seconds kPatience(20);
constexpr uid_t kAlice = 64001;
constexpr char kAlicesTable[] = "[[principal]]\nname = \"alice\"\nuid = 64001\nroles = [\"run\"]\n";

class DetachedCalls : public ::testing::Test {
 protected:
  static void Bound(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
  }
  static v1::RunSpec Spec(const std::string& command) {
    v1::RunSpec spec;
    spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
    spec.add_command(command);
    if (command == "exit") spec.add_command("0");
    return spec;
  }
  static grpc::Status Start(GateClient& client, const v1::RunSpec& spec,
                            v1::StartResponse& response) {
    grpc::ClientContext context;
    Bound(context);
    v1::StartRequest request;
    *request.mutable_spec() = spec;
    return client.broker().Start(&context, request, &response);
  }
  std::string Begin(GateClient& client, const std::string& command) {
    v1::StartResponse response;
    const grpc::Status status = Start(client, Spec(command), response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.run_id();
  }
  static grpc::Status Wait(GateClient& client, const std::string& run_id) {
    grpc::ClientContext context;
    Bound(context);
    v1::WaitRequest request;
    request.set_run_id(run_id);
    v1::WaitResponse response;
    return client.broker().Wait(&context, request, &response);
  }
  void Cancel(const std::string& run_id) {
    grpc::ClientContext context;
    Bound(context);
    v1::CancelRequest request;
    request.set_run_id(run_id);
    v1::CancelResponse response;
    EXPECT_TRUE(client_.broker().Cancel(&context, request, &response).ok());
  }
  // An Attach that has said that the run was admitted.
  struct Attached {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::RunEvent>> stream;
  };
  static std::unique_ptr<Attached> Attach(GateClient& client, const std::string& run_id) {
    auto attached = std::make_unique<Attached>();
    Bound(attached->context);
    v1::AttachRequest request;
    request.set_run_id(run_id);
    attached->stream = client.broker().Attach(&attached->context, request);
    v1::RunEvent event;
    EXPECT_TRUE(attached->stream->Read(&event));
    EXPECT_TRUE(event.has_admitted());
    return attached;
  }
  static grpc::Status Rest(Attached& attached) {
    v1::RunEvent event;
    while (attached.stream->Read(&event)) {
    }
    return attached.stream->Finish();
  }
  // Alice stays a principal, and so her connection: she may run nothing any more.
  void WithdrawAlicesRole() {
    std::string table = kAlicesTable;
    table.replace(table.find("\"run\""), 5, "\"audit\"");
    std::ofstream(broker_.folder() + "/policy.toml") << BrokerProcess::StandInPolicy(table);
    ::chmod((broker_.folder() + "/policy.toml").c_str(), 0600);
    grpc::ClientContext context;
    Bound(context);
    v1::ReloadPolicyResponse response;
    ASSERT_TRUE(client_.broker().ReloadPolicy(&context, v1::ReloadPolicyRequest(), &response).ok());
  }

  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(kAlicesTable),
                         .settings = "socket_mode = \"0666\"\nstop_grace = \"1s\"\n"
                                     "drain_timeout = \"1s\"\n"}};
  GateClient client_{broker_.socket_path()};
};

TEST_F(DetachedCalls, NothingCanBeFetchedBeforeTheEnd) {
  const std::string run_id = Begin(client_, "wait");
  grpc::ClientContext context;
  Bound(context);
  v1::FetchRequest request;
  request.set_run_id(run_id);
  request.set_output("results");
  const auto stream = client_.broker().Fetch(&context, request);
  v1::FetchResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ErrorInfoOf(stream->Finish()).reason(), "RUN_NOT_FINISHED");
  Cancel(run_id);
}

TEST_F(DetachedCalls, InputsNeedAStream) {
  v1::RunSpec spec = Spec("exit");
  auto& mount = *spec.add_mounts();
  mount.set_target("/in");
  mount.set_read_only(true);
  mount.mutable_input()->set_name("data");
  v1::StartResponse response;
  EXPECT_EQ(ErrorInfoOf(Start(client_, spec, response)).reason(), "INPUTS_NEED_A_STREAM");
  EXPECT_TRUE(engine_.CreateBodies().empty());
}

TEST_F(DetachedCalls, WhoeverAttachesIsToldThatTheBrokerStops) {
  const auto attached = Attach(client_, Begin(client_, "wait"));
  ::kill(broker_.pid(), SIGTERM);
  EXPECT_EQ(ErrorInfoOf(Rest(*attached)).reason(), "SHUTTING_DOWN");
}

TEST_F(DetachedCalls, WhoeverWaitsIsToldThatTheBrokerStops) {
  v1::WaitRequest request;
  request.set_run_id(Begin(client_, "wait"));
  grpc::ClientContext context;
  Bound(context);
  grpc::CompletionQueue queue;
  const auto waiting = client_.broker().AsyncWait(&context, request, &queue);
  grpc::Status status;
  v1::WaitResponse response;
  waiting->Finish(&response, &status, &queue);
  // Comes after it on the same connection.
  grpc::ClientContext list_context;
  v1::ListResponse list;
  ASSERT_TRUE(client_.broker().List(&list_context, v1::ListRequest(), &list).ok());
  ::kill(broker_.pid(), SIGTERM);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(ErrorInfoOf(status).reason(), "SHUTTING_DOWN") << status.error_message();
}

TEST_F(DetachedCalls, WhoseRoleIsWithdrawnReadsNoMore) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  const std::string run_id = Begin(*alice, "wait");
  const auto attached = Attach(*alice, run_id);
  WithdrawAlicesRole();
  // The end is something to tell, whatever was told before: each message is asked about.
  Cancel(run_id);
  EXPECT_EQ(ErrorInfoOf(Rest(*attached)).reason(), "ROLE_MISSING");
  EXPECT_EQ(ErrorInfoOf(Wait(*alice, run_id)).reason(), "ROLE_MISSING");
  EXPECT_TRUE(Wait(client_, run_id).ok());
}

TEST_F(DetachedCalls, OneThatHasEndedIsToldOfAtOnce) {
  const std::string run_id = Begin(client_, "exit");
  EXPECT_TRUE(Wait(client_, run_id).ok());
  EXPECT_TRUE(Wait(client_, run_id).ok());
}

}  // namespace
}  // namespace tidewaiter::testing
