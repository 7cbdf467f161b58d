// Attacks by volume: large messages, many connections, floods of output, clients that do not read.
#include <gmock/gmock.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>
#include <future>
#include <latch>

#include "base/unique_fd.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

UniqueFd ConnectRaw(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size() + 1, sizeof(address.sun_path)));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (::connect(fd.get(), generic, sizeof(address)) != 0) return {};
  return fd;
}

// "VmRSS:" now, "VmHWM:" the most it has ever been.
std::int64_t ResidentKiB(pid_t pid, std::string_view field = "VmRSS:") {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (status >> word) {
    std::int64_t value = 0;
    if (word == field && status >> value) return value;
  }
  return -1;
}

class Flood : public ::testing::Test {
 protected:
  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy("[limits.log]\nmax = \"2GiB\"\n")}};
  GateClient client_{broker_.socket_path()};

  static v1::RunSpec Spec(std::initializer_list<std::string> command) {
    v1::RunSpec spec;
    spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
    for (const std::string& word : command) spec.add_command(word);
    return spec;
  }

  // Another client is served while the attack goes on.
  void ExpectServed() {
    GateClient other(broker_.socket_path());
    EXPECT_EQ(other.Run(Spec({"exit", "5"})).Result().exit_code(), 5);
  }
};

TEST_F(Flood, MessageAboveTheLimitIsRefusedByName) {
  v1::RunSpec spec = Spec({"exit", "0"});
  (*spec.mutable_env())["BIG"] = std::string(std::size_t{5} << 20U, 'x');
  const Transcript transcript = client_.Run(spec);
  EXPECT_EQ(transcript.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(transcript.Reason(), "MESSAGE_TOO_LARGE") << transcript.status.error_message();
  EXPECT_TRUE(engine_.CreateBodies().empty());
  grpc::ClientContext context;
  v1::GetRequest get;
  get.set_run_id(std::string(std::size_t{5} << 20U, 'x'));
  v1::GetResponse response;
  EXPECT_EQ(ErrorInfoOf(client_.broker().Get(&context, get, &response)).reason(),
            "MESSAGE_TOO_LARGE");
}

TEST_F(Flood, MessageOf64MiBIsRefusedUnreadAndChangesNothing) {
  v1::RunSpec spec = Spec({"exit", "0"});
  (*spec.mutable_env())["BIG"] = std::string(std::size_t{64} << 20U, 'x');
  const Transcript transcript = client_.Run(spec);
  EXPECT_EQ(transcript.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
      << transcript.status.error_message();
  EXPECT_TRUE(engine_.CreateBodies().empty());
  ExpectServed();
}

// 256 MiB of one letter are 256 KiB on the wire.
TEST_F(Flood, CompressedMessageIsNotInflated) {
  v1::ExplainRequest request;
  (*request.mutable_spec()->mutable_env())["BIG"] = std::string(std::size_t{256} << 20U, 'x');
  ExpectServed();
  const std::int64_t before = ResidentKiB(broker_.pid(), "VmHWM:");
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::ExplainResponse response;
  const grpc::Status status = client_.broker().Explain(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
  EXPECT_LT(ResidentKiB(broker_.pid(), "VmHWM:") - before, 32 * 1024) << "resident KiB grew";
  ExpectServed();
}

TEST_F(Flood, AMessageThatIsNoRequestEndsItsCallByName) {
  grpc::GenericStub stub(client_.channel());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::CompletionQueue queue;
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
  };
  const auto call = stub.PrepareCall(&context, "/tidewaiter.v1.Broker/Run", &queue);
  call->StartCall(nullptr);
  wait();
  const grpc::Slice garbage(std::string(100, '\xff'));
  call->Write(grpc::ByteBuffer(&garbage, 1), nullptr);
  wait();
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "PROTOCOL_VIOLATION");
  ExpectServed();
}

TEST_F(Flood, ThousandIdleConnectionsDoNotKeepOthersOut) {
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 1000; ++i) idle.push_back(ConnectRaw(broker_.socket_path()));
  ExpectServed();
}

TEST_F(Flood, BytesThatAreNoHttp2AreHungUpOn) {
  const UniqueFd fd = ConnectRaw(broker_.socket_path());
  ASSERT_TRUE(fd);
  const std::string garbage(100000, '\xff');
  static_cast<void>(::send(fd.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL));
  ExpectServed();
}

TEST_F(Flood, OutputBeyondTheLimitIsDroppedAndCounted) {
  v1::RunSpec spec = Spec({"flood", std::to_string(8 << 20)});
  spec.mutable_limits()->set_log_bytes(1 << 20);
  const Transcript transcript = client_.Run(spec);
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(transcript.Stdout().size(), std::size_t{1} << 20U);
  EXPECT_EQ(transcript.Truncated().dropped_bytes(), 7 << 20);
  EXPECT_EQ(transcript.Truncated().reason(), "LOG_LIMIT");
}

// The client stops reading in the middle of 256 MiB; the broker must hold the engine back and not
// the output.
TEST_F(Flood, SlowReaderCostsNoMemory) {
  v1::RunSpec spec = Spec({"flood", std::to_string(256 << 20)});
  spec.mutable_limits()->set_log_bytes(std::int64_t{1} << 30);
  ExpectServed();
  const std::int64_t before = ResidentKiB(broker_.pid());
  std::int64_t peak = 0;
  std::size_t received = 0;
  const Transcript transcript = client_.Run(
      spec, [&](const v1::RunEvent& event, GateClient::Stream&, grpc::ClientContext& context) {
        received += event.output().data().size();
        if (received < (std::size_t{1} << 20U)) return;
        // Not reading while another is served: whatever the broker takes from the engine now, it
        // keeps.
        ExpectServed();
        ExpectServed();
        peak = ResidentKiB(broker_.pid());
        context.TryCancel();
      });
  EXPECT_LT(peak - before, 32 * 1024) << "resident KiB grew";
  EXPECT_TRUE(Eventually(std::chrono::seconds(20), [&] { return engine_.ContainerCount() == 0; }));
}

}  // namespace
}  // namespace tidewaiter::testing
