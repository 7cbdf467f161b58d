#include "broker/docker/docker_backend.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/printable.h"
#include "broker/docker/conformity.h"
#include "broker/docker/container_config.h"
#include "broker/docker/container_state.h"
#include "broker/docker/docker_container.h"
#include "broker/docker/engine_api.h"
#include "broker/docker/engine_facts.h"
#include "broker/docker/exit_watcher.h"
#include "broker/docker/image_store.h"
#include "broker/docker/labels.h"
#include "broker/docker/log_driver.h"
#include "broker/docker/remover.h"
#include "broker/docker/unsupported.h"

namespace tidewaiter::docker {
namespace {

using Kind = run::Resource::Kind;

// The entry for that kind in the caller's list, which is Plan's; made where it is missing.
run::Resource& Entry(std::vector<run::Resource>& resources, Kind kind, const RunId& run_id) {
  const auto found = std::find_if(resources.begin(), resources.end(),
                                  [kind](const run::Resource& r) { return r.kind == kind; });
  if (found != resources.end()) return *found;
  return resources.emplace_back(
      run::Resource{.kind = kind, .name = ResourceName(run_id), .id = {}});
}

std::string_view NetworkName(policy::NetworkMode mode, const std::string& own) {
  switch (mode) {
    case policy::NetworkMode::kNone: return "none";
    case policy::NetworkMode::kIsolated: return own;
    case policy::NetworkMode::kBridge: return "bridge";
  }
  return "none";
}

}  // namespace

struct DockerBackend::Parts {
  Parts(io::EventLoop& event_loop, io::HttpClient& http, DockerSettings given)
      : settings(std::move(given)),
        loop(event_loop),
        client(http, settings.socket),
        api(client, settings),
        facts(api),
        images(api, http, settings),
        remover(api, settings),
        exits(api, settings, [this] { facts.Forget(); }) {}

  const DockerSettings settings;
  io::EventLoop& loop;
  EngineClient client;
  EngineApi api;
  EngineFacts facts;
  ImageStore images;
  Remover remover;
  ExitWatcher exits;  // last: its threads use the others

  [[nodiscard]] std::string SeccompProfile(const std::string& name) const {
    const auto found = settings.seccomp_profiles.find(name);
    return found != settings.seccomp_profiles.end() ? found->second : std::string();
  }
  // Creates the network or the container and writes its id into `resource`.
  Result<void> CreateOne(run::Resource& resource, const Json& body, const run::Patience& patience);
  Result<Json> InspectNew(const run::Resource& resource, const run::Patience& patience);
  // Of that id or name, made by this broker for that run. Errors as Backend::Adopt.
  Result<Json> InspectOld(const std::string& which, const RunId& run_id,
                          const run::Patience& patience);
  std::unique_ptr<run::Container> NewContainer(const std::string& id,
                                               std::unique_ptr<ExitWatcher::Watch> watch,
                                               const Json& inspect);
  // What passes the filter ("name" or "name=value") and carries a broker's label.
  Result<std::vector<Labelled>> List(std::string_view filter, const run::Patience& patience);
};

DockerBackend::DockerBackend(io::EventLoop& loop, io::HttpClient& http, DockerSettings settings)
    : parts_(std::make_unique<Parts>(loop, http, std::move(settings))) {}

DockerBackend::~DockerBackend() = default;

std::vector<policy::Violation> DockerBackend::Unsupported(
    const policy::EffectiveRun& effective) const {
  std::optional<EngineInfo> info;
  if (DependsOnEngine(effective)) {
    // Where the engine cannot be asked, Create will ask again.
    auto asked =
        parts_->facts.Get({.stop = {}, .deadline = Deadline::After(std::chrono::seconds(5))});
    if (asked) info = *std::move(asked);
  }
  return FindUnsupported(effective, parts_->settings, info ? &*info : nullptr);
}

Result<run::ResolvedImage> DockerBackend::Resolve(const policy::AdmittedRun& admitted,
                                                  run::ImageProgressSink& progress,
                                                  const run::Patience& patience) {
  return parts_->images.Resolve(admitted.effective(), progress, patience);
}

std::vector<run::Resource> DockerBackend::Plan(const policy::AdmittedRun& admitted,
                                               const RunId& run_id) const {
  std::vector<run::Resource> plan;
  if (admitted.effective().network == policy::NetworkMode::kIsolated) {
    static_cast<void>(Entry(plan, Kind::kNetwork, run_id));
  }
  static_cast<void>(Entry(plan, Kind::kContainer, run_id));
  return plan;
}

Result<void> DockerBackend::Parts::CreateOne(run::Resource& resource, const Json& body,
                                             const run::Patience& patience) {
  if (patience.stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, "create " + Quoted(resource.name) + ": cancelled");
  }
  const run::Patience unstoppable{.stop = {}, .deadline = patience.deadline};
  const Deadline expected = Deadline::After(settings.create_timeout);
  Result<std::string> id = resource.kind == Kind::kNetwork
                               ? api.CreateNetwork(body, unstoppable)
                               : api.CreateContainer(resource.name, body, unstoppable);
  if (id) {
    resource.id = *std::move(id);
    return Ok();
  }
  Error error = std::move(id).error();
  if (error.Reason() != "ENGINE_ERROR") {
    remover.ExpectLater(resource, expected.Passed() ? Deadline::After({}) : expected);
  } else if (error.code == ErrorCode::kAlreadyExists) {
    error.reason = "NAME_TAKEN";
  } else if (error.code == ErrorCode::kNotFound && resource.kind == Kind::kContainer) {
    error.reason = "IMAGE_UNAVAILABLE";
  }
  return error;
}

Result<Json> DockerBackend::Parts::InspectNew(const run::Resource& resource,
                                              const run::Patience& patience) {
  TW_ASSIGN(std::optional<Json> inspect, resource.kind == Kind::kNetwork
                                             ? api.InspectNetwork(resource.id, patience)
                                             : api.InspectContainer(resource.id, patience));
  if (inspect) return *std::move(inspect);
  return Fail(ErrorCode::kUnavailable, "inspect " + Quoted(resource.name) + ": it is gone",
              "CONTAINER_LOST");
}

Result<std::unique_ptr<run::Container>> DockerBackend::Create(const Creation& creation,
                                                              std::vector<run::Resource>& resources,
                                                              const run::Patience& patience) {
  Parts& parts = *parts_;
  const policy::AdmittedRun& admitted = creation.admitted;
  const RunId& run_id = creation.run_id;
  const policy::EffectiveRun& run = admitted.effective();
  const BrokerId& broker_id = parts.settings.broker_id;
  // First, for the facts to be those of the engine that is there now.
  TW_TRY(parts.exits.WaitUntilFollowing(patience));
  TW_ASSIGN(const EngineInfo info, parts.facts.GetSuitable(patience));
  // Again: the engine may not have answered when the run was decided, or be another one by now.
  const auto unsupported = FindUnsupported(run, parts.settings, &info);
  if (!unsupported.empty()) {
    return Fail(ErrorCode::kFailedPrecondition,
                "create the run: " + unsupported.front().field + ": " + unsupported.front().message,
                "UNSUPPORTED");
  }
  if (creation.keeps_log && !info.keeps_logs) {
    return Fail(ErrorCode::kFailedPrecondition,
                "create the run: the engine has no log driver 'local', which keeps its output",
                "UNSUPPORTED");
  }
  TW_ASSIGN(const std::shared_ptr<const ImageConfig> config,
            parts.images.ConfigOf(creation.image.image_id, patience));
  TW_TRY(CheckImage(*config, run));

  std::string network_id;
  if (run.network == policy::NetworkMode::kIsolated) {
    run::Resource& network = Entry(resources, Kind::kNetwork, run_id);
    const Json body = NetworkBody(admitted, run_id, broker_id, creation.principal);
    TW_TRY(parts.CreateOne(network, body, patience));
    TW_ASSIGN(const Json inspect, parts.InspectNew(network, patience));
    TW_TRY(CheckNetworkConformity(body, network.id, inspect));
    network_id = network.id;
  }
  const std::string seccomp = parts.SeccompProfile(run.seccomp_profile);
  TW_ASSIGN(const Json body, ContainerBody({.admitted = admitted,
                                            .run_id = run_id,
                                            .broker_id = broker_id,
                                            .principal = creation.principal,
                                            .image_id = creation.image.image_id,
                                            .network_id = network_id,
                                            .seccomp_profile = seccomp,
                                            .sources = creation.sources,
                                            .with_stdin = creation.with_stdin,
                                            .keeps_log = creation.keeps_log}));
  run::Resource& container = Entry(resources, Kind::kContainer, run_id);
  TW_TRY(parts.CreateOne(container, body, patience));
  TW_ASSIGN(const Json inspect, parts.InspectNew(container, patience));
  TW_TRY(CheckConformity({.body = body,
                          .image = *config,
                          .container_id = container.id,
                          .name = container.name,
                          .network_name = NetworkName(run.network, container.name)},
                         inspect));
  const bool forgeable = At(inspect, {"Config", "Labels"}).contains("exitCode");
  return parts.NewContainer(container.id,
                            parts.exits.Add({.container_id = container.id,
                                             .forgeable = forgeable,
                                             .outlasts_engine = creation.keeps_log}),
                            inspect);
}

std::unique_ptr<run::Container> DockerBackend::Parts::NewContainer(
    const std::string& id, std::unique_ptr<ExitWatcher::Watch> watch, const Json& inspect) {
  return std::make_unique<DockerContainer>(loop, api, settings, id, std::move(watch),
                                           SafeLogBytes(At(inspect, {"HostConfig", "LogConfig"})));
}

Result<Json> DockerBackend::Parts::InspectOld(const std::string& which, const RunId& run_id,
                                              const run::Patience& patience) {
  const std::string subject = "adopt container " + Quoted(which);
  TW_ASSIGN(std::optional<Json> inspect, api.InspectContainer(which, patience));
  if (!inspect) return Fail(ErrorCode::kNotFound, subject + ": there is none", "CONTAINER_GONE");
  // The engine also finds containers by the beginning of an id.
  const bool exact = TextAt(*inspect, "Id") == which || TextAt(*inspect, "Name") == "/" + which;
  if (!exact || !BelongsTo(At(*inspect, {"Config", "Labels"}), settings.broker_id, run_id)) {
    return Fail(ErrorCode::kFailedPrecondition,
                subject + ": it is not this broker's and this run's", "FOREIGN_CONTAINER");
  }
  return *std::move(inspect);
}

Result<run::Adopted> DockerBackend::Adopt(const Former& former, const RunId& run_id,
                                          const run::Patience& patience) {
  Parts& parts = *parts_;
  const run::Resource& container = former.container;
  std::string id = container.id;
  if (id.empty()) {
    TW_ASSIGN(const Json named, parts.InspectOld(container.name, run_id, patience));
    id = TextAt(named, "Id");
    if (!IsEngineId(id)) return InvalidAnswer("adopt " + Quoted(container.name), "no id");
  }
  // First, so that no end is missed. What its labels say of exit codes is not known yet: those in
  // its events are not believed.
  std::unique_ptr<ExitWatcher::Watch> watch =
      parts.exits.Add({.container_id = id, .forgeable = true, .outlasts_engine = true});
  TW_ASSIGN(const Json inspect, parts.InspectOld(id, run_id, patience));
  run::Adopted adopted = ReadContainerState(inspect);
  if (adopted.state == run::Adopted::State::kCreated) {
    if (auto exit = FailedCommand(adopted.start_error)) {
      adopted.state = run::Adopted::State::kEnded;
      adopted.start_error.clear();
      watch->exited().Set(*std::move(exit));
    }
  } else if (adopted.state == run::Adopted::State::kEnded) {
    watch->NotRunning();  // the watcher knows how to read the end of one that was killed
    if (!watch->exited().Wait(patience.stop, patience.deadline)) {
      return Fail(
          patience.stop.stop_requested() ? ErrorCode::kCancelled : ErrorCode::kDeadlineExceeded,
          "adopt container " + Quoted(id) + ": the engine has not told how it ended");
    }
  }
  adopted.container = parts.NewContainer(id, std::move(watch), inspect);
  return adopted;
}

run::Removal DockerBackend::Remove(const run::Resource& resource, const RunId& run_id,
                                   Deadline deadline) {
  return parts_->remover.Remove(resource, run_id, deadline);
}

// The engine's filter is not relied upon: what it lists may have other labels, or no id.
Result<std::vector<run::Backend::Labelled>> DockerBackend::Parts::List(
    std::string_view filter, const run::Patience& patience) {
  std::vector<Labelled> found;
  const auto add = [&found](Kind kind, const Json& item, std::string name) {
    const Json& labels = At(item, {"Labels"});
    std::string id = TextAt(item, "Id");
    if (!labels.is_object() || !labels.contains(kBrokerLabel) || !IsEngineId(id)) return;
    if (kind == Kind::kContainer && IsKubelets(name, labels)) return;
    found.push_back({.resource = {.kind = kind, .name = std::move(name), .id = std::move(id)},
                     .broker_id = TextAt(labels, kBrokerLabel),
                     .run_id = TextAt(labels, kRunLabel)});
  };
  TW_TRY(api.ListContainers(filter, patience, [&add](const Json& item) {
    const auto names = AsStrings(At(item, {"Names"}));
    std::string name = names && !names->empty() ? names->front() : std::string();
    if (name.starts_with('/')) name.erase(0, 1);
    add(Kind::kContainer, item, std::move(name));
  }));
  TW_ASSIGN(const Json networks, api.ListNetworks(filter, patience));
  for (const Json& item : networks) add(Kind::kNetwork, item, TextAt(item, "Name"));
  return found;
}

void DockerBackend::ExpectLate(const run::Resource& resource, std::chrono::milliseconds elapsed) {
  if (elapsed >= parts_->settings.settle_time) return;
  parts_->remover.ExpectLater(resource, Deadline::At(Deadline::Clock::now() - elapsed));
}

Result<std::vector<run::Backend::Owned>> DockerBackend::ListOwned(const run::Patience& patience) {
  const BrokerId& broker_id = parts_->settings.broker_id;
  TW_ASSIGN(std::vector<Labelled> labelled,
            parts_->List(std::string(kBrokerLabel) + "=" + broker_id.value(), patience));
  std::vector<Owned> owned;
  for (Labelled& one : labelled) {
    if (one.broker_id != broker_id.value() || !IsRandomId(one.run_id)) continue;
    owned.push_back({.resource = std::move(one.resource), .run_id = RunId(std::move(one.run_id))});
  }
  return owned;
}

Result<std::vector<run::Backend::Labelled>> DockerBackend::ListLabelled(Deadline deadline) {
  return parts_->List(kBrokerLabel, {.stop = {}, .deadline = deadline});
}

Result<std::string> DockerBackend::Describe(Deadline deadline) {
  const run::Patience patience{.stop = {}, .deadline = deadline};
  // The version is remembered: it would be known of an engine that is gone, too.
  TW_TRY(parts_->api.Ping(patience));
  TW_ASSIGN(const EngineVersion version, parts_->api.Version(patience));
  return "docker " + version.engine + ", API 1." + std::to_string(version.api_minor);
}

}  // namespace tidewaiter::docker
