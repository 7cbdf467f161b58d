#include "broker/rpc/server.h"

#include <grpc/grpc.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <utility>

namespace tidewaiter::rpc {
namespace {

constexpr std::size_t kWorkerThreads = 4;
constexpr std::size_t kWorkerWaiting = 256;
constexpr int kMaxFrameBytes = 1 << 20;
constexpr int kKeepaliveMs = 60'000;
constexpr int kMinPingIntervalMs = 10'000;

// The end of the last gRPC object ends the library, which joins its threads; and after a write that
// had to wait, one of them sits in a poll of 10 s that nothing wakes (the "backup poller" of gRPC
// 1.51's tcp_posix.cc). With a reference that is never given back the process ends without it.
void KeepLibrary() {
  static const bool kept = (grpc_init(), true);
  static_cast<void>(kept);
}

}  // namespace

Server::Server(const ServerSettings& settings, const ServerParts& parts)
    : settings_(settings),
      refused_(parts.refused),
      policies_(*parts.environment->policies),
      table_(settings.connections),
      identifier_(table_, *parts.environment->policies),
      worker_(kWorkerThreads, kWorkerWaiting),
      broker_({.identifier = &identifier_,
               .registry = parts.registry,
               .environment = parts.environment,
               .worker = &worker_,
               .diagnose = parts.diagnose,
               .find_leaks = parts.find_leaks,
               .reload_policy = parts.reload_policy,
               .rotate_audit_key = parts.rotate_audit_key,
               .stream = {.linger = settings.output_stall,
                          .bound = MessageBound(settings.max_message_bytes)}}),
      audit_(identifier_, *parts.audit_log,
             {.stall = settings.output_stall, .bound = MessageBound(settings.max_message_bytes)}) {}

Result<std::unique_ptr<Server>> Server::Start(ListeningSocket socket,
                                              const ServerSettings& settings,
                                              const ServerParts& parts) {
  struct Enabler : Server {
    Enabler(const ServerSettings& s, const ServerParts& p) : Server(s, p) {}
  };
  KeepLibrary();
  std::unique_ptr<Server> server = std::make_unique<Enabler>(settings, parts);
  grpc::EnableDefaultHealthCheckService(true);
  TW_ASSIGN(
      server->listener_,
      PeerListener::Start(
          std::move(socket), server->table_,
          {.knows = [self = server.get()](uid_t uid) { return self->identifier_.Knows(uid); },
           .serve = [self = server.get()](int number, uid_t uid) { self->Serve(number, uid); },
           .refused = parts.refused}));
  server->policies_.Observe(
      [self = server.get()](const policy::PolicySet& enforced) { self->OnPolicies(enforced); });
  return server;
}

void Server::OnPolicies(const policy::PolicySet& enforced) {
  audit_.Recheck(enforced);
  table_.ShutDownIdle([&enforced](uid_t uid) { return enforced.FindPrincipal(uid) == nullptr; });
}

std::unique_ptr<grpc::Server> Server::Build() {
  grpc::ServerBuilder builder;
  // Services of the callback API may be those of several servers.
  builder.RegisterService(&broker_);
  builder.RegisterService(&audit_);
  builder.SetMaxReceiveMessageSize(MessageBound(settings_.max_message_bytes).transport_bytes());
  // Without it, every call of every connection could leave a message of that size half sent. A
  // bound, no pool: nothing is set aside. The builder keeps its own reference.
  grpc::ResourceQuota quota("tidewaiterd");
  builder.SetResourceQuota(quota.Resize(settings_.max_receive_memory_bytes));
  // gRPC inflates a message before it looks at its size: a thousand times what came over the
  // socket. No compression is spoken here, and the filters that would do it are not there.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
  // Uploads come in messages of up to that; the default cuts each into 16 KiB (RFC 9113, 6.5.2).
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kMaxFrameBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, settings_.max_calls_per_connection);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             static_cast<int>(settings_.idle_timeout.count()));
  // A vanished peer of a Unix socket is seen at once; the pings are for one that is stopped.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMs);
  return builder.BuildAndStart();
}

void Server::Serve(int number, uid_t uid) {
  auto servers = servers_.Lock();
  std::unique_ptr<grpc::Server>& server = servers->by_uid[uid];
  if (!server) {
    server = Build();
    if (server) server->GetHealthCheckService()->SetServingStatus(servers->serving);
  }
  if (!server) {
    ::close(number);
    return refused_(Fail(ErrorCode::kInternal, "start a gRPC server: it does not say why"));
  }
  grpc::AddInsecureChannelFromFd(server.get(), number);
}

void Server::SetServing(bool serving) {
  auto servers = servers_.Lock();
  servers->serving = serving;
  for (const auto& [uid, server] : servers->by_uid) {
    if (server) server->GetHealthCheckService()->SetServingStatus(serving);
  }
}

std::vector<grpc::Server*> Server::AllServers() {
  auto servers = servers_.Lock();
  std::vector<grpc::Server*> all;
  for (const auto& [uid, server] : servers->by_uid) {
    if (server) all.push_back(server.get());
  }
  return all;
}

void Server::StopAccepting() {
  listener_.reset();
}

void Server::Shutdown(Deadline deadline) {
  policies_.Observe({});
  listener_.reset();
  audit_.Stop();
  broker_.Stop();
  const auto until =
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::min<Deadline::Clock::duration>(deadline.Left(), std::chrono::hours(1)));
  // Not under the lock: handlers run on meanwhile.
  for (grpc::Server* server : AllServers()) server->Shutdown(until);
  for (grpc::Server* server : AllServers()) server->Wait();
}

Server::~Server() {
  Shutdown(Deadline::After(std::chrono::seconds(0)));
}

}  // namespace tidewaiter::rpc
