// Attacks by one caller on another: the kernel's word is the only identity.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

constexpr uid_t kAlice = 64001;
constexpr uid_t kBob = 64002;
constexpr uid_t kStranger = 64003;

class OtherCaller : public ::testing::Test {
 protected:
  static std::string Principals() {
    return "[[principal]]\nname = \"alice\"\nuid = 64001\nroles = [\"run\"]\npolicy = \"default\"\n"
           "[[principal]]\nname = \"bob\"\nuid = 64002\nroles = [\"run\"]\npolicy = \"default\"\n";
  }

  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(Principals()),
                         .settings = "socket_mode = \"0666\"\n"}};

  static v1::RunSpec Endless() {
    v1::RunSpec spec;
    spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
    spec.add_command("wait");
    return spec;
  }

  static std::vector<std::string> Visible(GateClient& client) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    v1::ListResponse response;
    const grpc::Status status = client.broker().List(&context, v1::ListRequest(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> principals;
    for (const v1::RunInfo& run : response.runs()) principals.push_back(run.principal());
    return principals;
  }

  template <typename Request, typename Response>
  static grpc::StatusCode Ask(GateClient& client, const std::string& run_id,
                              grpc::Status (v1::Broker::Stub::*call)(grpc::ClientContext*,
                                                                     const Request&, Response*)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    Request request;
    request.set_run_id(run_id);
    Response response;
    return (client.broker().*call)(&context, request, &response).error_code();
  }

  // What a stream of answers about that run ends with.
  template <typename Request, typename Response>
  static grpc::StatusCode AskForStream(
      GateClient& client, const std::string& run_id,
      std::unique_ptr<grpc::ClientReader<Response>> (v1::Broker::Stub::*call)(grpc::ClientContext*,
                                                                              const Request&)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    Request request;
    request.set_run_id(run_id);
    const auto stream = (client.broker().*call)(&context, request);
    Response response;
    while (stream->Read(&response)) {
    }
    return stream->Finish().error_code();
  }

  // A detached run under the key "k".
  static v1::StartResponse Begin(GateClient& client) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    v1::StartRequest request;
    *request.mutable_spec() = Endless();
    request.mutable_spec()->set_idempotency_key("k");
    v1::StartResponse response;
    const grpc::Status status = client.broker().Start(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
};

TEST_F(OtherCaller, RunOfAnotherIsInvisibleAndCannotBeCancelled) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  const auto bob = GateClient::As(kBob, broker_.socket_path());
  GateClient operator_client(broker_.socket_path());
  ASSERT_TRUE(alice && bob);
  const Transcript transcript = alice->Run(
      Endless(), [&](const v1::RunEvent& event, GateClient::Stream&, grpc::ClientContext&) {
        if (!event.has_started()) return;
        EXPECT_THAT(Visible(*bob), ::testing::IsEmpty());
        EXPECT_THAT(Visible(*alice), ::testing::ElementsAre("alice"));
        EXPECT_THAT(Visible(operator_client), ::testing::ElementsAre("alice"));
        std::string run_id;
        {
          grpc::ClientContext context;
          v1::ListResponse response;
          ASSERT_TRUE(operator_client.broker().List(&context, v1::ListRequest(), &response).ok());
          ASSERT_EQ(response.runs_size(), 1);
          run_id = response.runs(0).run_id();
        }
        EXPECT_EQ(Ask(*bob, run_id, &v1::Broker::Stub::Get), grpc::StatusCode::NOT_FOUND);
        EXPECT_EQ(Ask(*bob, run_id, &v1::Broker::Stub::Cancel), grpc::StatusCode::NOT_FOUND);
        EXPECT_EQ(Ask(*alice, run_id, &v1::Broker::Stub::Get), grpc::StatusCode::OK);
        EXPECT_EQ(Ask(operator_client, run_id, &v1::Broker::Stub::Cancel), grpc::StatusCode::OK);
      });
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::CANCELLED);
}

// By its id alone, or by the key under which it was begun.
TEST_F(OtherCaller, DetachedRunOfAnotherCannotBeReadWaitedForFetchedOrTakenByItsKey) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  const auto bob = GateClient::As(kBob, broker_.socket_path());
  ASSERT_TRUE(alice && bob);
  const std::string run_id = Begin(*alice).run_id();
  ASSERT_FALSE(run_id.empty());
  EXPECT_EQ(Ask(*bob, run_id, &v1::Broker::Stub::Wait), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(AskForStream(*bob, run_id, &v1::Broker::Stub::Attach), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(AskForStream(*bob, run_id, &v1::Broker::Stub::Fetch), grpc::StatusCode::NOT_FOUND);
  const v1::StartResponse bobs = Begin(*bob);
  EXPECT_NE(bobs.run_id(), run_id);
  EXPECT_FALSE(bobs.existing());
  EXPECT_EQ(Begin(*alice).run_id(), run_id);
  for (const std::string& each : {run_id, bobs.run_id()}) {
    GateClient operator_client(broker_.socket_path());
    EXPECT_EQ(Ask(operator_client, each, &v1::Broker::Stub::Cancel), grpc::StatusCode::OK);
    EXPECT_EQ(Ask(operator_client, each, &v1::Broker::Stub::Wait), grpc::StatusCode::OK);
    EXPECT_EQ(AskForStream(operator_client, each, &v1::Broker::Stub::Attach), grpc::StatusCode::OK);
  }
}

TEST_F(OtherCaller, StrangerIsHungUpOnBeforeAByteIsParsed) {
  const auto stranger = GateClient::As(kStranger, broker_.socket_path());
  ASSERT_TRUE(stranger);
  const Transcript transcript = stranger->Run(Endless(), {}, false, std::chrono::seconds(10));
  EXPECT_EQ(transcript.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(transcript.events.empty());
  EXPECT_TRUE(engine_.CreateBodies().empty());
}

TEST_F(OtherCaller, RoleThatOnlyRunsMayNotReadTheAuditLog) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const auto reader = alice->audit().Query(&context, v1::QueryRequest());
  v1::AuditRecord record;
  EXPECT_FALSE(reader->Read(&record));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "ROLE_MISSING");
}

// The kernel gives a closed descriptor's number to the next connection. Were identity looked up by
// that number alone, a late call of alice's would be bob's.
TEST_F(OtherCaller, ReuseOfDescriptorsKeepsIdentity) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  std::atomic<bool> running{true};
  std::thread churn([&] {
    while (running) {
      const auto bob = GateClient::As(kBob, broker_.socket_path());
      if (bob) Visible(*bob);
    }
  });
  alice->Run(
      Endless(), [&](const v1::RunEvent& event, GateClient::Stream& stream, grpc::ClientContext&) {
        if (!event.has_started()) return;
        for (int i = 0; i < 200; ++i) {
          const auto again = GateClient::As(i % 2 == 0 ? kAlice : kBob, broker_.socket_path());
          ASSERT_TRUE(again);
          EXPECT_EQ(Visible(*again).size(), i % 2 == 0 ? 1U : 0U) << "connection " << i;
        }
        v1::RunRequest cancel;
        cancel.mutable_cancel();
        stream.Write(cancel);
      });
  running = false;
  churn.join();
}

}  // namespace
}  // namespace tidewaiter::testing
