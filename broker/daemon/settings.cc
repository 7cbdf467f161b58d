#include "broker/daemon/settings.h"

#include "broker/files/ownership.h"
#include "broker/run/detached_run.h"

namespace tidewaiter::daemon {
namespace {

// For what no setting bounds: threads that are scheduled late, answers that are sent.
constexpr std::chrono::seconds kSlack(30);

registry::RegistrySettings ToRegistrySettings(const Preparation& preparation) {
  const config::BrokerConfig::Registry& registry = preparation.config.registry;
  registry::RegistrySettings settings;
  settings.plain_http = {registry.plain_http.begin(), registry.plain_http.end()};
  settings.auth_file = registry.auth_file;
  settings.ca_certificates = preparation.ca_certificates;
  settings.call_timeout = registry.call_timeout;
  settings.tag_memory = registry.tag_memory;
  settings.tag_memory_entries = registry.tag_memory_entries;
  return settings;
}

}  // namespace

run::RunSettings ToRunSettings(const config::BrokerConfig& config) {
  return {.max_runs = config.max_runs,
          .max_queued = config.max_queued,
          .max_runs_per_principal = config.max_runs_per_principal,
          .queue_timeout = config.queue_timeout,
          .audit_deadline = config.audit_deadline,
          .prepare_timeout = config.prepare_timeout,
          .stop_grace = config.stop_grace,
          .teardown_timeout = config.teardown_timeout,
          .output_stall = config.output_stall,
          .input_timeout = config.input_timeout,
          .output_timeout = config.output_timeout,
          .input_stall = config.input_stall,
          .retention = config.retention,
          .max_detached_per_principal = config.max_detached_runs_per_principal,
          .reap_interval = config.reap_interval,
          .reap_retry_min = config.reap_retry_min,
          .reap_retry_max = config.reap_retry_max};
}

docker::DockerSettings ToDockerSettings(const Preparation& preparation, const BrokerId& broker_id) {
  const config::BrokerConfig::Docker& docker = preparation.config.docker;
  docker::DockerSettings settings;
  settings.socket = docker.socket;
  settings.broker_id = broker_id;
  settings.seccomp_profiles = preparation.seccomp_profiles;
  settings.may_give_to = files::MayGiveTo;
  settings.registry = ToRegistrySettings(preparation);
  settings.call_timeout = docker.call_timeout;
  settings.create_timeout = docker.create_timeout;
  settings.attach_timeout = docker.attach_timeout;
  settings.start_timeout = docker.start_timeout;
  settings.check_timeout = docker.check_timeout;
  settings.ping_interval = docker.ping_interval;
  settings.pull_silence = docker.pull_silence;
  settings.event_retry_max = docker.event_retry_max;
  settings.event_loss_limit = docker.event_loss_limit;
  settings.settle_time = docker.settle_time;
  return settings;
}

kubernetes::KubernetesSettings ToKubernetesSettings(const Preparation& preparation,
                                                    const BrokerId& broker_id) {
  const config::KubernetesConfig& cluster = *preparation.config.kubernetes;
  kubernetes::KubernetesSettings settings;
  settings.broker_id = broker_id;
  settings.name_space = cluster.name_space;
  settings.registry = ToRegistrySettings(preparation);
  settings.node_selector = cluster.node_selector;
  for (const config::KubernetesConfig::Toleration& one : cluster.tolerations) {
    settings.tolerations.push_back({.key = one.key,
                                    .operation = one.operation,
                                    .value = one.value,
                                    .effect = one.effect,
                                    .seconds = one.seconds});
  }
  settings.runtime_class = cluster.runtime_class;
  settings.image_pull_secrets = cluster.image_pull_secrets;
  settings.carrier_image = cluster.carrier_image;
  settings.max_input_bytes = cluster.max_input_bytes;
  settings.call_timeout = cluster.call_timeout;
  settings.schedule_timeout = cluster.schedule_timeout;
  settings.pull_failure_timeout = cluster.pull_failure_timeout;
  settings.stop_grace = preparation.config.stop_grace;
  settings.prepare_timeout = preparation.config.prepare_timeout;
  settings.output_timeout = preparation.config.output_timeout;
  settings.finished_ttl = cluster.finished_ttl;
  settings.watch_retry_max = cluster.watch_retry_max;
  settings.watch_loss_limit = cluster.watch_loss_limit;
  settings.settle_time = cluster.settle_time;
  return settings;
}

rpc::ServerSettings ToServerSettings(const config::BrokerConfig& config) {
  return {.connections = rpc::ConnectionTable::FitToDescriptorLimit(
              {.max_connections = config.max_connections,
               .max_per_uid = config.max_connections_per_uid}),
          .max_message_bytes = static_cast<std::size_t>(config.max_message_bytes),
          .max_receive_memory_bytes = static_cast<std::size_t>(config.max_receive_memory_bytes),
          .max_calls_per_connection = static_cast<int>(config.max_calls_per_connection),
          .idle_timeout = config.connection_idle_timeout,
          .output_stall = config.output_stall};
}

audit::LogSettings ToLogSettings(const config::BrokerConfig& config) {
  audit::LogSettings settings;
  settings.directory = config.audit_dir;
  settings.stall = config.audit_deadline;
  settings.store.segment_bytes = static_cast<std::uint64_t>(config.audit.segment_bytes);
  settings.store.segment_age = config.audit.segment_age;
  settings.store.reserve_bytes = static_cast<std::uint64_t>(config.audit.reserve_bytes);
  settings.store.checkpoint_records = config.audit.checkpoint_records;
  settings.store.checkpoint_interval = config.audit.checkpoint_interval;
  return settings;
}

audit::SegmentKeeper::Settings ToKeeperSettings(const config::BrokerConfig& config, Log& log) {
  audit::SegmentKeeper::Settings settings;
  settings.compress = config.audit.compress;
  settings.retention = config.audit.retention;
  settings.on_change = [&log](const std::optional<Error>& error) {
    log.Write(error ? LogLevel::kWarning : LogLevel::kInfo,
              error ? "keep the audit log's files: " + error->message + "; trying again"
                    : std::string("keep the audit log's files: works again"));
  };
  return settings;
}

std::chrono::milliseconds LongestDrain(const config::BrokerConfig& config) {
  // A create that was sent is waited for (twice: network and container); then SIGTERM, SIGKILL, the
  // rest of the output, the removal, the record, the run's directory.
  return config.drain_timeout + 2 * config.docker.create_timeout + 3 * config.stop_grace +
         run::DetachedRun::kFlush + 2 * config.teardown_timeout + config.audit_deadline + kSlack;
}

std::chrono::milliseconds LongestEnd(const config::BrokerConfig& config) {
  // The reaper may be listing, or removing one thing.
  return 2 * config.teardown_timeout + kSlack;
}

}  // namespace tidewaiter::daemon
