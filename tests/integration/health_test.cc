// grpc.health.v1 as a client that knows nothing else of the broker asks it.
#include <gmock/gmock.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

constexpr std::chrono::seconds kPatience(20);

class HealthService : public ::testing::Test {
 protected:
  // HealthCheckResponse.status as it is on the wire: field 1, a varint. 1 is SERVING, 2 is not.
  int Status() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    grpc::CompletionQueue queue;
    const grpc::Slice whole_server;  // an empty HealthCheckRequest
    const grpc::ByteBuffer request(&whole_server, 1);
    const auto call =
        stub_.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    std::vector<grpc::Slice> slices;
    if (!status.ok() || !answer.Dump(&slices).ok()) return -1;
    std::string bytes;
    for (const grpc::Slice& slice : slices) bytes.append(slice.begin(), slice.end());
    return bytes.size() == 2 && bytes[0] == '\x08' ? bytes[1] : -1;
  }

  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(),
                         .settings = "drain_timeout = \"20s\"\n"}};
  GateClient client_{broker_.socket_path()};
  grpc::GenericStub stub_{client_.channel()};
};

TEST_F(HealthService, ServesOnlyWhileTheAuditLogCanBeWritten) {
  EXPECT_EQ(Status(), 1);
  const std::string obstacle = broker_.ObstructAudit();
  v1::RunSpec spec;
  spec.set_image("evil.example/x");
  static_cast<void>(client_.Run(spec));  // its denial cannot be recorded
  EXPECT_TRUE(Eventually(kPatience, [&] { return Status() == 2; }));
  std::filesystem::remove(obstacle);
  EXPECT_TRUE(Eventually(kPatience, [&] { return Status() == 1; }));
}

TEST_F(HealthService, ServesNoMoreWhileTheBrokerDrains) {
  v1::RunSpec spec;
  spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
  spec.add_command("sleep");
  bool stopped_serving = false;
  static_cast<void>(
      client_.Run(spec, [&](const v1::RunEvent& event, auto& /*stream*/, auto& /*context*/) {
        if (!event.has_started()) return;
        ::kill(broker_.pid(), SIGTERM);
        stopped_serving = Eventually(kPatience, [&] { return Status() == 2; });
        ::kill(broker_.pid(), SIGTERM);  // ends the drain, and so the run
      }));
  EXPECT_TRUE(stopped_serving);
}

}  // namespace
}  // namespace tidewaiter::testing
