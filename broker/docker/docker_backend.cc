#include "broker/docker/docker_backend.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/printable.h"
#include "broker/docker/conformity.h"
#include "broker/docker/container_config.h"
#include "broker/docker/docker_container.h"
#include "broker/docker/engine_api.h"
#include "broker/docker/engine_facts.h"
#include "broker/docker/exit_watcher.h"
#include "broker/docker/image_store.h"
#include "broker/docker/labels.h"
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
    remover.ExpectLater(resource, expected);
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
                                            .with_stdin = creation.with_stdin}));
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
  return std::unique_ptr<run::Container>(
      std::make_unique<DockerContainer>(parts.loop, parts.api, parts.settings, container.id,
                                        parts.exits.Add(container.id, forgeable)));
}

run::Removal DockerBackend::Remove(const run::Resource& resource, const RunId& run_id,
                                   Deadline deadline) {
  return parts_->remover.Remove(resource, run_id, deadline);
}

Result<std::vector<run::Backend::Owned>> DockerBackend::ListOwned(Deadline deadline) {
  const run::Patience patience{.stop = {}, .deadline = deadline};
  const BrokerId& broker_id = parts_->settings.broker_id;
  const std::string label = std::string(kBrokerLabel) + "=" + broker_id.value();
  std::vector<Owned> owned;
  // What a label says is believed only where it is whole; the engine's filter is not relied upon.
  const auto add = [&](Kind kind, const Json& item, std::string name) {
    const Json& labels = At(item, {"Labels"});
    const std::string run_id = TextAt(labels, kRunLabel);
    std::string id = TextAt(item, "Id");
    if (!IsRandomId(run_id) || !IsEngineId(id)) return;
    if (!BelongsTo(labels, broker_id, RunId(run_id))) return;
    owned.push_back({.resource = {.kind = kind, .name = std::move(name), .id = std::move(id)},
                     .run_id = RunId(run_id)});
  };
  TW_ASSIGN(const Json containers, parts_->api.ListContainers(label, patience));
  for (const Json& item : containers) {
    const auto names = AsStrings(At(item, {"Names"}));
    std::string name = names && !names->empty() ? names->front() : std::string();
    if (name.starts_with('/')) name.erase(0, 1);
    add(Kind::kContainer, item, std::move(name));
  }
  TW_ASSIGN(const Json networks, parts_->api.ListNetworks(label, patience));
  for (const Json& item : networks) add(Kind::kNetwork, item, TextAt(item, "Name"));
  return owned;
}

Result<std::string> DockerBackend::Describe(Deadline deadline) {
  TW_ASSIGN(const EngineVersion version, parts_->api.Version({.stop = {}, .deadline = deadline}));
  return "docker " + version.engine + ", API 1." + std::to_string(version.api_minor);
}

}  // namespace tidewaiter::docker
