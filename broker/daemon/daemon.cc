#include "broker/daemon/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "audit/log.h"
#include "audit/segment_keeper.h"
#include "audit/signing_key_file.h"
#include "base/printable.h"
#include "base/unique_fd.h"
#include "broker/daemon/audit_keys.h"
#include "broker/daemon/audit_writer.h"
#include "broker/daemon/diagnostics.h"
#include "broker/daemon/forwarding.h"
#include "broker/daemon/health.h"
#include "broker/daemon/health_server.h"
#include "broker/daemon/health_watch.h"
#include "broker/daemon/key_change.h"
#include "broker/daemon/leak_check.h"
#include "broker/daemon/policy_reload.h"
#include "broker/daemon/settings.h"
#include "broker/docker/docker_backend.h"
#include "broker/files/disk_run_files.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"
#include "broker/journal/broker_identity.h"
#include "broker/journal/directory_journal.h"
#include "broker/kubernetes/kubernetes_backend.h"
#include "broker/rpc/server.h"
#include "broker/rpc/worker.h"
#include "broker/run/environment.h"
#include "broker/run/run_registry.h"
#include "extract/worker_process.h"
#include "policy/trusted_host_paths.h"

namespace tidewaiter::daemon {
namespace {

constexpr std::chrono::seconds kServerPatience(1);
constexpr std::chrono::seconds kAuditPatience(5);
constexpr std::chrono::seconds kForwardPatience(2);

// Two brokers on one state folder would each take the other's runs for its own leftovers.
Result<UniqueFd> LockStateFolder(const std::string& path) {
  const std::string what = fmt::format("lock the state folder {}", Quoted(path));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoError(errno, what);
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return ErrnoError(errno, what);
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoError(errno, what);
    return Fail(ErrorCode::kFailedPrecondition, what + ": another broker uses it", "STATE_IN_USE");
  }
  return folder;
}

// What no run may mount, wherever the configuration puts it.
std::vector<std::string> KeptPaths(const Preparation& preparation) {
  const config::BrokerConfig& config = preparation.config;
  std::vector<std::string> kept{preparation.config_path, config.policy, config.state_dir,
                                config.audit_dir,        config.socket, config.docker.socket,
                                config.shadow_policy};
  if (!config.health_socket.empty()) kept.push_back(config.health_socket);
  if (!config.registry.auth_file.empty()) kept.push_back(config.registry.auth_file);
  if (!config.registry.ca_file.empty()) kept.push_back(config.registry.ca_file);
  if (preparation.cluster) {
    kept.insert(kept.end(), preparation.cluster->files.begin(), preparation.cluster->files.end());
  }
  for (std::string& path : ForwardingPaths(config)) kept.push_back(std::move(path));
  return kept;
}

run::AuditEvent Event(run::AuditEvent::Type type) {
  run::AuditEvent event;
  event.type = type;
  return event;
}

}  // namespace

// In the order in which they are made; destroyed from the last to the first.
struct Daemon::Parts {
  Parts(Preparation prepared, Log& logger)
      : preparation(std::move(prepared)),
        log(logger),
        policies(std::exchange(preparation.policies, {})),
        host_paths(KeptPaths(preparation)) {}

  Preparation preparation;
  Log& log;
  run::PoliciesInForce policies;
  policy::TrustedHostPaths host_paths;
  Health health;
  UniqueFd state_lock;
  std::unique_ptr<forward::CheckpointPublisher> checkpoints;
  std::unique_ptr<audit::Log> audit_log;
  std::unique_ptr<Forwarding> forwarding;
  std::unique_ptr<audit::SegmentKeeper> segment_keeper;
  std::unique_ptr<AuditWriter> audit_writer;
  std::unique_ptr<KeyChange> key_change;
  std::unique_ptr<journal::DirectoryJournal> journal;
  std::unique_ptr<files::DiskRunFiles> files;
  std::unique_ptr<io::EventLoop> loop;
  std::unique_ptr<io::HttpClient> http;
  std::unique_ptr<docker::DockerBackend> backend;
  std::unique_ptr<io::EventLoop> cluster_steps;
  std::unique_ptr<kubernetes::KubernetesBackend> cluster;  // null: none is configured
  run::Environment environment;
  std::unique_ptr<run::RunRegistry> registry;
  std::unique_ptr<Diagnostics> diagnostics;
  std::unique_ptr<LeakCheck> leak_check;
  std::unique_ptr<PolicyReload> reload;
  std::unique_ptr<rpc::Server> server;
  std::unique_ptr<HealthWatch> health_watch;
  std::unique_ptr<HealthServer> health_server;
  // One reload under way, and one that waits and will see what the disk has then. Ends first: what
  // it runs uses the rest.
  std::unique_ptr<rpc::Worker> reloads;

  Result<void> OpenState();
  Result<void> ConnectBackend();
  Result<void> Serve();
  Result<void> AnswerProbes(HealthSockets sockets);
  void Announce();
  Result<v1::RotateAuditKeyResponse> RotateKey(const run::Caller& caller);
  bool SubmitReload(const std::optional<run::Caller>& by, const std::string& how,
                    rpc::PolicyReloadDone done);
};

Result<void> Daemon::Parts::OpenState() {
  const config::BrokerConfig& config = preparation.config;
  TW_ASSIGN(state_lock, LockStateFolder(config.state_dir));
  TW_ASSIGN(environment.broker_id, journal::LoadOrCreateBrokerId(config.state_dir));
  TW_ASSIGN(journal, journal::DirectoryJournal::Open(config.state_dir, environment.broker_id));
  TW_ASSIGN(files, files::DiskRunFiles::Open(
                       {.state_dir = config.state_dir,
                        .worker = extract::WorkerBesideThisProgram(),
                        .max_input_bytes_per_principal =
                            static_cast<std::uint64_t>(config.max_input_bytes_per_principal),
                        .max_kept_bytes_per_principal =
                            static_cast<std::uint64_t>(config.max_kept_bytes_per_principal),
                        .min_free_bytes = static_cast<std::uint64_t>(config.min_free_bytes),
                        .limits = {}}));
  TW_ASSIGN(checkpoints, PublishCheckpoints(preparation, log));
  audit::LogSettings settings = ToLogSettings(config);
  settings.broker_id = environment.broker_id.value();
  TW_ASSIGN(const audit::SigningKeys keys,
            audit::LoadOrCreateSigningKeys(config.state_dir, environment.broker_id.value()));
  settings.store.key = keys.key;
  settings.store.successor = keys.successor;
  if (checkpoints) {
    settings.on_checkpoint = [this](const std::string& note) { checkpoints->Offer(note); };
  }
  settings.store.state_directory = state_lock.get();
  settings.on_tree = [this](const std::optional<Error>& failure) {
    log.Write(failure ? LogLevel::kWarning : LogLevel::kInfo,
              failure ? "sign for the audit log: " + failure->message + "; trying again"
                      : std::string("sign for the audit log: works again"));
  };
  settings.on_change = [this](bool works) { health.SetAuditWorks(works); };
  TW_ASSIGN(audit::HashKey hash_key, LoadOrCreateHashKey(config.state_dir, log));
  TW_ASSIGN(audit_log, audit::Log::Open(std::move(settings)));
  if (!audit_log->can_reserve()) {
    log.Write(LogLevel::kWarning, "open audit log in '" + config.audit_dir +
                                      "': its file system cannot reserve space beforehand: on a "
                                      "full disk the records of teardowns wait in memory");
  }
  TW_ASSIGN(segment_keeper, audit::SegmentKeeper::Start(*audit_log, ToKeeperSettings(config, log)));
  TW_ASSIGN(forwarding, Forwarding::Start(preparation, *audit_log, log));
  audit_writer = std::make_unique<AuditWriter>(*audit_log, std::move(hash_key));
  key_change =
      std::make_unique<KeyChange>(KeyChange::Parts{.state_dir = config.state_dir,
                                                   .broker_id = environment.broker_id.value(),
                                                   .audit_log = audit_log.get(),
                                                   .log = &log,
                                                   .patience = config.audit_deadline,
                                                   .begun = keys.successor});
  return Ok();
}

Result<void> Daemon::Parts::ConnectBackend() {
  TW_ASSIGN(loop, io::EventLoop::Start());
  TW_ASSIGN(http, io::HttpClient::Create(*loop));
  backend = std::make_unique<docker::DockerBackend>(
      *loop, *http, ToDockerSettings(preparation, environment.broker_id));
  environment.settings = ToRunSettings(preparation.config);
  environment.backends = {{std::string(backend->name()), backend.get()}};
  environment.default_backend = std::string(backend->name());
  if (preparation.cluster) {
    TW_ASSIGN(cluster_steps, io::EventLoop::Start());
    cluster = std::make_unique<kubernetes::KubernetesBackend>(
        *http, *cluster_steps, *preparation.cluster,
        ToKubernetesSettings(preparation, environment.broker_id),
        config::ToTarget(*preparation.config.kubernetes));
    environment.backends.emplace(cluster->name(), cluster.get());
  }
  environment.audit = audit_writer.get();
  environment.journal = journal.get();
  environment.files = files.get();
  environment.policies = &policies;
  environment.host_paths = &host_paths;
  environment.log = &log;
  registry = std::make_unique<run::RunRegistry>(environment);
  return Ok();
}

Result<void> Daemon::Parts::Serve() {
  const config::BrokerConfig& config = preparation.config;
  diagnostics =
      std::make_unique<Diagnostics>(Diagnostics::Parts{.environment = &environment,
                                                       .registry = registry.get(),
                                                       .audit_log = audit_log.get(),
                                                       .segment_keeper = segment_keeper.get(),
                                                       .key_change = key_change.get(),
                                                       .journal = journal.get(),
                                                       .forwarding = forwarding.get(),
                                                       .checkpoints = checkpoints.get(),
                                                       .config_path = preparation.config_path,
                                                       .config = &config,
                                                       .worker = extract::WorkerBesideThisProgram(),
                                                       .state_dir = config.state_dir,
                                                       .audit_dir = config.audit_dir});
  leak_check = std::make_unique<LeakCheck>(LeakCheck::Parts{
      .environment = &environment, .registry = registry.get(), .state_dir = config.state_dir});
  reload =
      std::make_unique<PolicyReload>(PolicyReload::Parts{.config_path = preparation.config_path,
                                                         .config = &config,
                                                         .policies = &policies,
                                                         .audit = audit_writer.get(),
                                                         .log = &log});
  reloads = std::make_unique<rpc::Worker>(1, 1);
  TW_ASSIGN(rpc::ListeningSocket socket,
            rpc::ListeningSocket::Open(config.socket, config.socket_mode));
  // What can fail comes before the first run can.
  TW_ASSIGN(HealthSockets probes, OpenHealthSockets(config));
  const std::string place = socket.activated() ? "the socket of systemd" : config.socket;
  TW_ASSIGN(
      server,
      rpc::Server::Start(
          std::move(socket), ToServerSettings(config),
          {.registry = registry.get(),
           .environment = &environment,
           .audit_log = audit_log.get(),
           .diagnose = [this](bool for_operator) { return diagnostics->Run(for_operator); },
           .find_leaks = [this] { return leak_check->Run(); },
           .reload_policy =
               [this](const run::Caller& caller, rpc::PolicyReloadDone done) {
                 return SubmitReload(caller, "ReloadPolicy", std::move(done));
               },
           .rotate_audit_key = [this](const run::Caller& caller) { return RotateKey(caller); },
           .refused =
               [this](const Error& error) { log.Write(LogLevel::kWarning, error.message); }}));
  TW_TRY(AnswerProbes(std::move(probes)));
  health.Tell([this](bool serving) { server->SetServing(serving); });
  log.Write(LogLevel::kInfo, fmt::format("tidewaiterd {} serves on {}, broker {}",
                                         TIDEWAITER_VERSION, place, environment.broker_id.value()));
  return Ok();
}

Result<void> Daemon::Parts::AnswerProbes(HealthSockets sockets) {
  const config::BrokerConfig& config = preparation.config;
  if (config.health_socket.empty() && config.health_tcp.empty()) return Ok();
  health_watch = std::make_unique<HealthWatch>(
      *loop, HealthWatch::Settings{.engine_interval = config.docker.ping_interval}, [this] {
        return backend->Describe(Deadline::After(preparation.config.docker.check_timeout))
            .has_value();
      });
  const auto report = [this] {
    const Health::Standing standing = health.Now();
    const run::RunRegistry::Counts counts = registry->Count();
    return HealthReport{.loop_turns = health_watch->LoopTurns(),
                        .stopping = standing.stopping,
                        .audit_works = standing.audit_works,
                        .engine_answers = health_watch->EngineAnswers(),
                        .overdue = counts.overdue + counts.strays + counts.kept_overdue,
                        .compares = !counts.comparison_fails};
  };
  TW_ASSIGN(health_server, HealthServer::Start(std::move(sockets), {}, report));
  return Ok();
}

bool Daemon::Parts::SubmitReload(const std::optional<run::Caller>& by, const std::string& how,
                                 rpc::PolicyReloadDone done) {
  return reloads->Submit([this, by, how, done = std::move(done)] { done(reload->Run(by, how)); });
}

Result<v1::RotateAuditKeyResponse> Daemon::Parts::RotateKey(const run::Caller& caller) {
  TW_ASSIGN(const KeyChange::Done done, key_change->Run(caller));
  v1::RotateAuditKeyResponse answer;
  answer.set_former_key(done.former);
  answer.set_key(done.key);
  answer.set_record(done.record);
  return answer;
}

// Not waited for: a broker that finds its log full must still clean up; each admission asks again.
void Daemon::Parts::Announce() {
  const run::Policies loaded = *policies.Get();
  run::AuditEvent started = Event(run::AuditEvent::Type::kBrokerStarted);
  started.detail = fmt::format("tidewaiterd {}{}", TIDEWAITER_VERSION,
                               loaded.enforced->development() ? ", development mode" : "");
  audit_writer->AppendEventually(started);
  run::AuditEvent configured = Event(run::AuditEvent::Type::kConfigLoaded);
  configured.config_hash = preparation.config_hash;
  audit_writer->AppendEventually(configured);
  audit_writer->AppendEventually(PolicyLoadedEvent(loaded));
  WarnOfDevelopment(loaded, preparation.forgiven, log);
}

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<Daemon>> Daemon::Start(Preparation preparation, Log& log) {
  auto parts = std::make_unique<Parts>(std::move(preparation), log);
  TW_TRY(parts->OpenState());
  parts->Announce();
  TW_TRY(parts->ConnectBackend());
  // Before the first run is taken in: a run directory that is being made must not look like one
  // that a crash has left. What is found is torn down while the broker serves.
  TW_TRY(parts->registry->RecoverLeftovers());
  parts->key_change->Resume();
  TW_TRY(parts->Serve());
  struct Enabler : Daemon {
    explicit Enabler(std::unique_ptr<Parts> p) : Daemon(std::move(p)) {}
  };
  return std::unique_ptr<Daemon>(std::make_unique<Enabler>(std::move(parts)));
}

bool Daemon::ReloadPolicy(const std::optional<run::Caller>& by, const std::string& how,
                          std::function<void(const v1::ReloadPolicyResponse&)> done) {
  return parts_->SubmitReload(by, how, std::move(done));
}

void Daemon::Drain() {
  parts_->reload->Stop();
  parts_->health.SetStopping();
  const run::RunRegistry::Ended ended =
      parts_->registry->Shutdown(Deadline::After(parts_->preparation.config.drain_timeout));
  const std::uint32_t overdue = parts_->registry->Count().overdue;
  parts_->log.Write(ended.stopped > 0 || overdue > 0 ? LogLevel::kWarning : LogLevel::kInfo,
                    fmt::format("drained: {} run(s) stopped before their end, {} detached and {} "
                                "overdue left to the next broker",
                                ended.stopped, ended.left, overdue));
}

void Daemon::StopNow() {
  parts_->registry->Shutdown(Deadline::After(std::chrono::seconds(0)));
}

bool Daemon::LoopIsAlive() {
  const std::uint64_t beats = parts_->loop->Beats();
  parts_->loop->Post([] {});
  return std::exchange(last_beats_, beats) != beats;
}

// The server after the runs, so that results and receipts reach their clients; the loop after the
// backend; the log last. A reload that a disk holds up is waited for when all of that is done.
Daemon::~Daemon() {
  parts_->reload->Stop();
  parts_->registry->Shutdown(Deadline::After(std::chrono::seconds(0)));
  parts_->health.Tell({});
  parts_->leak_check->Stop();
  parts_->server->Shutdown(Deadline::After(kServerPatience));
  parts_->server.reset();
  parts_->health_server.reset();
  parts_->health_watch.reset();
  parts_->registry.reset();
  parts_->audit_writer->AppendEventually(Event(run::AuditEvent::Type::kBrokerStopped));
  if (const auto drained = parts_->audit_log->Drain(Deadline::After(kAuditPatience)); !drained) {
    parts_->log.Write(LogLevel::kError, drained.error().message);
  }
  parts_->forwarding->Finish(Deadline::After(kForwardPatience));
  parts_->log.Write(LogLevel::kInfo, "stopped");
}

}  // namespace tidewaiter::daemon
