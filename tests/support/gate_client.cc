#include "tests/support/gate_client.h"

#include <grpcpp/create_channel_posix.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/unique_fd.h"

namespace tidewaiter::testing {
namespace {

// The first event of that kind, taken out by `get`.
template <typename Message>
Message First(const std::vector<v1::RunEvent>& events, v1::RunEvent::EventCase kind,
              const Message& (v1::RunEvent::*get)() const) {
  for (const v1::RunEvent& event : events) {
    if (event.event_case() == kind) return (event.*get)();
  }
  return {};
}

}  // namespace

v1::RunResult Transcript::Result() const {
  return First(events, v1::RunEvent::kResult, &v1::RunEvent::result);
}
v1::Receipt Transcript::Receipt() const {
  return First(events, v1::RunEvent::kReceipt, &v1::RunEvent::receipt);
}
v1::Started Transcript::Started() const {
  return First(events, v1::RunEvent::kStarted, &v1::RunEvent::started);
}
v1::Denied Transcript::Denied() const {
  return First(events, v1::RunEvent::kDenied, &v1::RunEvent::denied);
}
v1::Truncated Transcript::Truncated() const {
  return First(events, v1::RunEvent::kTruncated, &v1::RunEvent::truncated);
}
std::string Transcript::RunId() const {
  return First(events, v1::RunEvent::kAdmitted, &v1::RunEvent::admitted).run_id();
}

bool Transcript::Has(v1::RunEvent::EventCase kind) const {
  for (const v1::RunEvent& event : events) {
    if (event.event_case() == kind) return true;
  }
  return false;
}

std::string Transcript::Reason() const {
  return ErrorInfoOf(status).reason();
}

std::string Transcript::Text(v1::Output::Stream stream) const {
  std::string text;
  for (const v1::RunEvent& event : events) {
    if (event.has_output() && event.output().stream() == stream) text += event.output().data();
  }
  return text;
}

v1::ErrorInfo ErrorInfoOf(const grpc::Status& status) {
  v1::StatusDetails details;
  if (!details.ParseFromString(status.error_details())) return {};
  for (const google::protobuf::Any& any : details.details()) {
    v1::ErrorInfo info;
    if (any.type_url() == "type.googleapis.com/google.rpc.ErrorInfo" &&
        info.ParseFromString(any.value())) {
      return info;
    }
  }
  return {};
}

GateClient::GateClient(std::shared_ptr<grpc::Channel> channel) : channel_(std::move(channel)) {
  broker_ = v1::Broker::NewStub(channel_);
  audit_ = v1::Audit::NewStub(channel_);
}

UniqueFd ConnectAs(uid_t uid, const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_path.c_str(),
              std::min(socket_path.size() + 1, sizeof(address.sun_path)));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The raw system call changes this thread alone; glibc's seteuid changes all.
  const long kept = -1;
  ::syscall(SYS_setresuid, kept, static_cast<long>(uid), kept);
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  const int connected = ::connect(fd.get(), generic, sizeof(address));
  ::syscall(SYS_setresuid, kept, 0L, kept);
  if (connected != 0) return {};
  return fd;
}

std::unique_ptr<GateClient> GateClient::As(uid_t uid, const std::string& socket_path) {
  UniqueFd fd = ConnectAs(uid, socket_path);
  if (!fd) return nullptr;
  return std::unique_ptr<GateClient>(
      new GateClient(grpc::CreateInsecureChannelFromFd("broker", fd.Release())));
}

GateClient::GateClient(const std::string& socket_path) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own per client
  channel_ = grpc::CreateCustomChannel("unix:" + socket_path, grpc::InsecureChannelCredentials(),
                                       arguments);
  broker_ = v1::Broker::NewStub(channel_);
  audit_ = v1::Audit::NewStub(channel_);
}

Transcript GateClient::Run(const v1::RunSpec& spec, const OnEvent& on_event, bool with_stdin,
                           std::chrono::seconds within) {
  v1::StartRun start;
  *start.mutable_spec() = spec;
  start.set_stdin(with_stdin);
  return Run(start, on_event, within);
}

Transcript GateClient::Run(const v1::StartRun& start, const OnEvent& on_event,
                           std::chrono::seconds within) {
  Transcript transcript;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + within);
  const std::unique_ptr<Stream> stream = broker_->Run(&context);
  v1::RunRequest request;
  *request.mutable_start() = start;
  stream->Write(request);
  v1::RunEvent event;
  while (stream->Read(&event)) {
    transcript.events.push_back(event);
    if (on_event) on_event(event, *stream, context);
  }
  transcript.status = stream->Finish();
  return transcript;
}

std::vector<std::string> GateClient::AuditLines(const std::string& run_id) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::QueryRequest query;
  query.mutable_filter()->set_run_id(run_id);
  const auto reader = audit_->Query(&context, query);
  std::vector<std::string> lines;
  v1::AuditRecord record;
  while (reader->Read(&record)) lines.push_back(record.json());
  return reader->Finish().ok() ? lines : std::vector<std::string>{};
}

}  // namespace tidewaiter::testing
