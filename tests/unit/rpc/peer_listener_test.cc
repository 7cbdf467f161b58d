// The listener with real sockets and a real gRPC server: what a handler learns of its caller.
#include "broker/rpc/peer_listener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <latch>

#include "base/completion.h"
#include "broker/rpc/identity.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_folder.h"
#include "tidewaiter/v1/broker.grpc.pb.h"

namespace tidewaiter::rpc {
namespace {

constexpr int kFirst = 900;
constexpr int kNumbers = 4;
constexpr std::chrono::seconds kPatience(20);

UniqueFd Connect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

// Waits until the other side has hung up.
bool HangsUp(const UniqueFd& fd) {
  pollfd wait{fd.get(), POLLIN, 0};
  if (::poll(&wait, 1, 20'000) <= 0) return false;
  char byte = 0;
  return ::recv(fd.get(), &byte, 1, MSG_DONTWAIT) <= 0;
}

// Answers a List with the peer's number, and holds a Run until it is told to look at its peer.
class PeerTellingService final : public v1::Broker::CallbackService {
 public:
  class HeldRun final : public grpc::ServerBidiReactor<v1::RunRequest, v1::RunEvent> {
   public:
    explicit HeldRun(grpc::CallbackServerContext& run_context) : context(run_context) {}
    void OnCancel() override { cancelled.Set(true); }
    void OnDone() override { done.Set(true); }
    grpc::CallbackServerContext& context;
    Completion<bool> cancelled;
    Completion<bool> done;
  };

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context, const v1::ListRequest*,
                                 v1::ListResponse* response) override {
    response->add_runs()->set_run_id(context->peer());
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerBidiReactor<v1::RunRequest, v1::RunEvent>* Run(
      grpc::CallbackServerContext* context) override {
    held = std::make_unique<HeldRun>(*context);
    began.Set(true);
    return held.get();
  }

  std::unique_ptr<HeldRun> held;
  Completion<bool> began;
};

class PeerListenerTest : public ::testing::Test {
 protected:
  PeerListenerTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    Listen(true);
  }
  ~PeerListenerTest() override {
    listener_.reset();
    server_->Shutdown(std::chrono::system_clock::now());
  }

  void Listen(bool knows) {
    listener_.reset();
    auto socket = ListeningSocket::Open(path(), 0600);
    ASSERT_TRUE(socket.has_value()) << socket.error().message;
    auto listener = PeerListener::Start(
        *std::move(socket), table_,
        {.knows = [knows](uid_t) { return knows; },
         .serve = [this](int fd, uid_t) { grpc::AddInsecureChannelFromFd(server_.get(), fd); },
         .refused = [this](const Error& error) { refused_.Set(error); }});
    ASSERT_TRUE(listener.has_value());
    listener_ = *std::move(listener);
  }

  [[nodiscard]] std::string path() const { return folder_ / "s"; }

  // A client with a connection of its own.
  std::unique_ptr<v1::Broker::Stub> NewClient() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::Broker::NewStub(
        grpc::CreateCustomChannel("unix:" + path(), grpc::InsecureChannelCredentials(), arguments));
  }

  std::string PeerOf(v1::Broker::Stub& client) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    v1::ListResponse response;
    const grpc::Status status = client.List(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return status.ok() ? response.runs(0).run_id() : "";
  }

  testing::ScratchFolder folder_;
  Completion<Error> refused_;
  ConnectionTable table_{{.max_connections = 100,
                          .max_per_uid = 100,
                          .first_number = kFirst,
                          .end_number = kFirst + kNumbers}};
  PeerTellingService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<PeerListener> listener_;
};

TEST_F(PeerListenerTest, AHandlersPeerLeadsToTheKernelsCredentials) {
  const auto client = NewClient();
  const auto lease = table_.Begin(PeerNumber(PeerOf(*client)));
  ASSERT_TRUE(lease.has_value());
  EXPECT_EQ(lease->credentials().uid, ::getuid());
  EXPECT_EQ(lease->credentials().gid, ::getgid());
  EXPECT_EQ(lease->credentials().pid, ::getpid());
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(lease->credentials().process, ReadProcess(proc.get(), ::getpid()));
  EXPECT_TRUE(lease->credentials().process.start.has_value());
}

TEST_F(PeerListenerTest, AnUnknownUidIsHungUpOnWithoutBeingRead) {
  Listen(false);
  const UniqueFd stranger = Connect(path());
  EXPECT_TRUE(HangsUp(stranger));
  const auto error = refused_.Wait({}, Deadline::After(kPatience));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->reason, "CALLER_UNKNOWN");
  EXPECT_EQ(table_.CountOpen(), 0U);
}

// The attack: a call whose client is gone asks late who it is, when its number might be another's.
TEST_F(PeerListenerTest, FdReuseKeepsIdentity) {
  auto client = NewClient();
  auto context = std::make_unique<grpc::ClientContext>();
  auto stream = client->Run(context.get());
  ASSERT_TRUE(service_.began.Wait({}, Deadline::After(kPatience)));
  const int number = PeerNumber(service_.held->context.peer());
  const std::uint64_t connections_before = table_.CountOpen();
  EXPECT_EQ(connections_before, 1U);

  // The client vanishes, connection and all; the call stays, since its reactor has not finished.
  context->TryCancel();
  stream->Finish();
  stream.reset();
  client.reset();
  ASSERT_TRUE(service_.held->cancelled.Wait({}, Deadline::After(kPatience)));

  // Many times more connections than there are numbers: none gets that of the call.
  for (int i = 0; i < 5 * kNumbers; ++i) {
    {
      const auto other = NewClient();
      EXPECT_NE(PeerNumber(PeerOf(*other)), number);
    }
    // The server closes its end in its own time; while it holds all numbers nobody gets in.
    ASSERT_TRUE(testing::Eventually([this] { return table_.CountOpen() <= 1; }));
  }
  EXPECT_EQ(PeerNumber(service_.held->context.peer()), number);
  EXPECT_TRUE(table_.Begin(number).has_value());

  service_.held->Finish(grpc::Status::OK);
  EXPECT_TRUE(service_.held->done.Wait({}, Deadline::After(kPatience)));
}

TEST_F(PeerListenerTest, StoppingRemovesTheSocketFile) {
  listener_.reset();
  struct stat status {};
  EXPECT_NE(::lstat(path().c_str(), &status), 0);
}

}  // namespace
}  // namespace tidewaiter::rpc
