#include "broker/daemon/forwarding.h"

#include <optional>
#include <utility>

#include "broker/config/forward_address.h"
#include "broker/forward/file_sink.h"
#include "broker/forward/journald_destination.h"
#include "broker/forward/tls_syslog.h"
#include "broker/forward/unix_syslog.h"
#include "broker/forward/url_sink.h"

namespace tidewaiter::daemon {
namespace {

// What the configuration's own reading would have refused.
Error NoSuchPlace(const char* key) {
  return Fail(ErrorCode::kInvalidArgument, std::string("[audit] ") + key + ": no such place");
}

Result<std::unique_ptr<forward::Destination>> MakeSyslog(const Preparation& preparation) {
  const auto address = config::ParseSyslogAddress(preparation.config.audit.syslog);
  if (!address) return NoSuchPlace("syslog");
  forward::SyslogOrigin origin = forward::ThisOrigin();
  if (!address->socket_path.empty()) {
    return std::unique_ptr<forward::Destination>(
        std::make_unique<forward::UnixSyslog>(address->socket_path, std::move(origin)));
  }
  TW_ASSIGN(forward::TlsTrust trust, forward::TlsTrust::Create(preparation.syslog_certificates));
  return std::unique_ptr<forward::Destination>(std::make_unique<forward::TlsSyslog>(
      address->host, address->port, std::move(trust), std::move(origin)));
}

Result<std::unique_ptr<forward::CheckpointSink>> MakeSink(const Preparation& preparation) {
  const auto address = config::ParseCheckpointAddress(preparation.config.audit.checkpoint_sink);
  if (!address) return NoSuchPlace("checkpoint_sink");
  if (!address->file.empty()) {
    return std::unique_ptr<forward::CheckpointSink>(
        std::make_unique<forward::FileSink>(address->file));
  }
  TW_ASSIGN(std::unique_ptr<forward::UrlSink> sink,
            forward::UrlSink::Create(address->url, preparation.checkpoint_certificates));
  return std::unique_ptr<forward::CheckpointSink>(std::move(sink));
}

}  // namespace

std::vector<std::string> ForwardingPaths(const config::BrokerConfig& config) {
  std::vector<std::string> paths;
  const auto add = [&paths](const std::string& path) {
    if (!path.empty()) paths.push_back(path);
  };
  add(config.audit.syslog_ca_file);
  add(config.audit.checkpoint_ca_file);
  if (const auto sink = config::ParseCheckpointAddress(config.audit.checkpoint_sink)) {
    add(sink->file);
  }
  return paths;
}

Result<std::unique_ptr<forward::CheckpointPublisher>> PublishCheckpoints(
    const Preparation& preparation, Log& log) {
  if (preparation.config.audit.checkpoint_sink.empty()) {
    return std::unique_ptr<forward::CheckpointPublisher>();
  }
  TW_ASSIGN(std::unique_ptr<forward::CheckpointSink> sink, MakeSink(preparation));
  return forward::CheckpointPublisher::Start({}, std::move(sink), log);
}

Result<std::unique_ptr<Forwarding>> Forwarding::Start(const Preparation& preparation,
                                                      audit::Log& audit_log, Log& log) {
  const config::BrokerConfig& config = preparation.config;
  auto forwarding = std::make_unique<Forwarding>();
  const auto add = [&](const char* name,
                       std::unique_ptr<forward::Destination> destination) -> Result<void> {
    forward::ForwarderSettings settings;
    settings.name = name;
    settings.state_dir = config.state_dir;
    TW_ASSIGN(
        std::unique_ptr<forward::Forwarder> forwarder,
        forward::Forwarder::Start(std::move(settings), std::move(destination), audit_log, log));
    forwarding->forwarders_.push_back(std::move(forwarder));
    return Ok();
  };
  if (config.audit.journald) {
    TW_TRY(add("journald",
               std::make_unique<forward::JournaldDestination>(config.audit.journald_socket)));
  }
  if (!config.audit.syslog.empty()) {
    TW_ASSIGN(std::unique_ptr<forward::Destination> syslog, MakeSyslog(preparation));
    TW_TRY(add("syslog", std::move(syslog)));
  }
  return forwarding;
}

void Forwarding::Finish(Deadline deadline) {
  for (const auto& forwarder : forwarders_) forwarder->Hurry();
  // Each goes on while the others are waited for.
  for (const auto& forwarder : forwarders_) forwarder->Finish(deadline);
}

std::vector<forward::Forwarder::Standing> Forwarding::Now() const {
  std::vector<forward::Forwarder::Standing> standings;
  for (const auto& forwarder : forwarders_) standings.push_back(forwarder->Now());
  return standings;
}

}  // namespace tidewaiter::daemon
