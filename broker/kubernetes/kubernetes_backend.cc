#include "broker/kubernetes/kubernetes_backend.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <utility>

#include "base/guarded.h"
#include "base/printable.h"
#include "broker/kubernetes/cluster_api.h"
#include "broker/kubernetes/cluster_client.h"
#include "broker/kubernetes/conformity.h"
#include "broker/kubernetes/file_volumes.h"
#include "broker/kubernetes/input_secrets.h"
#include "broker/kubernetes/job_container.h"
#include "broker/kubernetes/job_manifest.h"
#include "broker/kubernetes/labels.h"
#include "broker/kubernetes/network_policy.h"
#include "broker/kubernetes/pod_end.h"
#include "broker/kubernetes/remover.h"
#include "broker/kubernetes/rights.h"
#include "broker/kubernetes/run_watcher.h"
#include "broker/registry/tag_check.h"

namespace tidewaiter::kubernetes {
namespace {

using Kind = run::Resource::Kind;

// Of everything that a run may have.
constexpr std::array kKinds{Kind::kJob, Kind::kPod, Kind::kSecrets, Kind::kNetworkPolicy};

// The kind's entry in the list, which is Plan's; made where it is missing.
run::Resource& Entry(std::vector<run::Resource>& resources, Kind kind, const RunId& run_id) {
  const auto found = std::find_if(resources.begin(), resources.end(),
                                  [kind](const run::Resource& r) { return r.kind == kind; });
  if (found != resources.end()) return *found;
  return resources.emplace_back(run::Resource{.kind = kind, .name = ObjectName(run_id), .id = {}});
}

// The cluster's own word, by a Status, that it has not made the object, and will not. Any other
// error may have come after it was made.
bool IsRefusal(const Error& error) {
  constexpr std::array<std::string_view, 9> kReasons{
      "CLUSTER_UNAUTHORIZED", "CLUSTER_FORBIDDEN",     "QUOTA_EXCEEDED",
      "NAMESPACE_MISSING",    "NAMESPACE_TERMINATING", "CLUSTER_NOT_FOUND",
      "CLUSTER_EXISTS",       "CLUSTER_INVALID",       "CLUSTER_BUSY"};
  return std::find(kReasons.begin(), kReasons.end(), error.Reason()) != kReasons.end();
}

std::string NameOf(const Json& object) {
  return TextAt(At(object, {"metadata"}), "name");
}

std::string UidOf(const Json& object) {
  return TextAt(At(object, {"metadata"}), "uid");
}

}  // namespace

struct KubernetesBackend::Parts {
  Parts(io::HttpClient& http, io::EventLoop& loop, ClusterAccess access, KubernetesSettings given,
        policy::KubernetesTarget stated)
      : settings(std::move(given)),
        target(stated),
        client(http, std::move(access)),
        api(client, settings),
        tags(http, settings.registry),
        watcher(api, settings),
        remover(api, watcher, settings),
        steps(loop) {}

  const KubernetesSettings settings;
  const policy::KubernetesTarget target;
  ClusterClient client;
  ClusterApi api;
  registry::TagCheck tags;
  RunWatcher watcher;
  Remover remover;
  io::EventLoop& steps;
  Guarded<bool> version_suits{false};

  Result<void> CheckVersion(const run::Patience& patience);
  // Creates the object; `resources` has it, with its uid, unless the cluster has refused it.
  Result<Json> CreateOne(std::vector<run::Resource>& resources, Kind kind, const Json& body,
                         const RunId& run_id, const run::Patience& patience);
  Result<void> CreateNetworkPolicy(std::vector<run::Resource>& resources, const Json& body,
                                   const RunId& run_id, const run::Patience& patience);
  Result<void> CreateSecret(const Json& body, const RunId& run_id, const run::Patience& patience);
  // Of this broker and run. Errors as Backend::Adopt.
  Result<Json> ReadOld(const run::Resource& job, const RunId& run_id,
                       const run::Patience& patience);
  Result<std::vector<Labelled>> List(const std::string& query, const run::Patience& patience);
  std::unique_ptr<run::Container> MakeContainer(const RunId& run_id, std::string name,
                                                std::string uid,
                                                std::unique_ptr<RunWatcher::Tracked> tracked) {
    return std::make_unique<JobContainer>(
        JobContainer::Cluster{.api = api, .watcher = watcher, .settings = settings, .steps = steps},
        JobContainer::Job{.run_id = run_id, .name = std::move(name), .uid = std::move(uid)},
        std::move(tracked));
  }
};

KubernetesBackend::KubernetesBackend(io::HttpClient& http, io::EventLoop& steps,
                                     ClusterAccess access, KubernetesSettings settings,
                                     policy::KubernetesTarget target)
    : parts_(std::make_unique<Parts>(http, steps, std::move(access), std::move(settings), target)) {
}

KubernetesBackend::~KubernetesBackend() = default;

std::vector<policy::Violation> KubernetesBackend::Unsupported(
    const policy::EffectiveRun& effective) const {
  return policy::KubernetesViolations(effective, parts_->target);
}

Result<run::ResolvedImage> KubernetesBackend::Resolve(const policy::AdmittedRun& admitted,
                                                      run::ImageProgressSink& /*progress*/,
                                                      const run::Patience& patience) {
  policy::ImageReference image = admitted.effective().image;
  if (image.tag.empty() && image.digest.empty()) image.tag = "latest";
  const bool verify = admitted.effective().verify_tag && !image.tag.empty();
  if (image.digest.empty()) {
    TW_ASSIGN(image.digest, parts_->tags.DigestOf(image, patience));
  } else if (verify) {
    TW_TRY(parts_->tags.Confirm(image, patience));
  }
  return run::ResolvedImage{.digest = image.digest, .image_id = {}};
}

run::FileCarriage KubernetesBackend::Carriage() const {
  return {.carried = true,
          .max_input_bytes = static_cast<std::uint64_t>(parts_->settings.max_input_bytes)};
}

// The pods before their Job: a removal goes backwards, and a Job would make another pod.
std::vector<run::Resource> KubernetesBackend::Plan(const policy::AdmittedRun& admitted,
                                                   const RunId& run_id) const {
  std::vector<run::Resource> plan;
  static_cast<void>(Entry(plan, Kind::kNetworkPolicy, run_id));
  static_cast<void>(Entry(plan, Kind::kPod, run_id));
  if (!InputsOf(admitted.effective()).empty()) {
    static_cast<void>(Entry(plan, Kind::kSecrets, run_id));
  }
  static_cast<void>(Entry(plan, Kind::kJob, run_id));
  return plan;
}

Result<void> KubernetesBackend::Parts::CheckVersion(const run::Patience& patience) {
  if (*version_suits.Lock()) return Ok();
  TW_TRY(api.Version(patience));
  *version_suits.Lock() = true;
  return Ok();
}

Result<Json> KubernetesBackend::Parts::CreateOne(std::vector<run::Resource>& resources, Kind kind,
                                                 const Json& body, const RunId& run_id,
                                                 const run::Patience& patience) {
  if (patience.stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, "create " + Quoted(ObjectName(run_id)) + ": cancelled");
  }
  run::Resource& resource = Entry(resources, kind, run_id);
  const run::Patience unstoppable{.stop = {}, .deadline = patience.deadline};
  const Deadline expected = Deadline::After(settings.call_timeout);
  Result<Json> made = api.Create(KindOf(kind), body, unstoppable);
  if (made) {
    resource.id = UidOf(*made);
    if (resource.id.empty()) return InvalidAnswer("create " + Quoted(resource.name), "no uid");
  } else if (IsRefusal(made.error())) {
    resources.pop_back();
  } else {
    remover.ExpectLater(resource, expected.Passed() ? Deadline::After({}) : expected);
  }
  return made;
}

Result<void> KubernetesBackend::Parts::CreateNetworkPolicy(std::vector<run::Resource>& resources,
                                                           const Json& body, const RunId& run_id,
                                                           const run::Patience& patience) {
  TW_TRY(CreateOne(resources, Kind::kNetworkPolicy, body, run_id, patience));
  const run::Resource& made = resources.back();
  TW_ASSIGN(const std::optional<Json> read, api.Read(kNetworkPolicies, made.name, patience));
  if (!read || UidOf(*read) != made.id) {
    return Fail(ErrorCode::kUnavailable, "read back the network policy: it is gone",
                "ENGINE_DIFFERS");
  }
  return CheckNetworkPolicy(body, *read);
}

// What is left of it where the answer is lost goes with the Job, and is looked for by the run's
// label.
Result<void> KubernetesBackend::Parts::CreateSecret(const Json& body, const RunId& run_id,
                                                    const run::Patience& patience) {
  if (patience.stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, "create the secrets of the inputs: cancelled");
  }
  const run::Patience unstoppable{.stop = {}, .deadline = patience.deadline};
  const Deadline expected = Deadline::After(settings.call_timeout);
  const Result<Json> made = api.Create(kSecrets, body, unstoppable);
  if (made) return CheckSecret(body, *made);
  if (!IsRefusal(made.error())) {
    remover.ExpectLater({.kind = Kind::kSecrets, .name = ObjectName(run_id), .id = {}},
                        expected.Passed() ? Deadline::After({}) : expected);
  }
  return made.error();
}

Result<std::unique_ptr<run::Container>> KubernetesBackend::Create(
    const Creation& creation, std::vector<run::Resource>& resources,
    const run::Patience& patience) {
  Parts& parts = *parts_;
  const policy::EffectiveRun& run = creation.admitted.effective();
  const RunId& run_id = creation.run_id;
  const run::Patience budget{
      .stop = patience.stop,
      .deadline = patience.deadline.Sooner(Deadline::After(parts.settings.call_timeout))};
  // Until it is asked for there is nothing to remove.
  resources.clear();
  std::vector<InputParts> inputs;
  if (creation.read_input) {
    TW_ASSIGN(inputs,
              MeasureInputs(run, creation.read_input, Carriage().max_input_bytes, patience));
  }
  TW_TRY(parts.CheckVersion(budget));
  TW_TRY(parts.watcher.WaitUntilFollowing(budget));
  const ObjectLabels labels = LabelsOf(parts.settings.broker_id, run_id, creation.principal, run);

  TW_TRY(parts.CreateNetworkPolicy(resources, NetworkPolicyBody(run_id, labels), run_id, patience));

  const std::string image = run.image.Name() + "@" + creation.image.digest;
  const Json body = JobBody({.admitted = creation.admitted,
                             .run_id = run_id,
                             .labels = labels,
                             .image = image,
                             .inputs = inputs,
                             .settings = parts.settings,
                             .with_stdin = creation.with_stdin});
  auto tracked = parts.watcher.Track(
      run_id,
      [asked = At(body, {"spec", "template"})](const Json& pod) { return CheckPod(asked, pod); },
      creation.keeps_log);
  static_cast<void>(Entry(resources, Kind::kPod, run_id));
  if (!inputs.empty()) static_cast<void>(Entry(resources, Kind::kSecrets, run_id));
  TW_ASSIGN(const Json made, parts.CreateOne(resources, Kind::kJob, body, run_id, patience));
  const run::Resource job = resources.back();
  tracked->BelongTo(job.id);
  TW_TRY(CheckJob(body, made));
  // From here on the Job takes everything with it, whoever deletes it.
  TW_TRY(parts.api.Patch(kNetworkPolicies, job.name, OwnerPatch(made), patience));
  const auto create_secret = [&](std::size_t number, std::string_view bytes) {
    return parts.CreateSecret(SecretBody(run_id, labels, number, bytes, made), run_id, patience);
  };
  TW_TRY(ForEachPart(inputs, creation.read_input, patience, create_secret));
  return parts.MakeContainer(run_id, job.name, job.id, std::move(tracked));
}

Result<Json> KubernetesBackend::Parts::ReadOld(const run::Resource& job, const RunId& run_id,
                                               const run::Patience& patience) {
  const std::string subject = "adopt job " + Quoted(job.name);
  TW_ASSIGN(std::optional<Json> found, api.Read(kJobs, job.name, patience));
  if (!found) return Fail(ErrorCode::kNotFound, subject + ": there is none", "CONTAINER_GONE");
  const bool other = !job.id.empty() && UidOf(*found) != job.id;
  if (other || UidOf(*found).empty() || !BelongsTo(*found, settings.broker_id, run_id)) {
    return Fail(ErrorCode::kFailedPrecondition,
                subject + ": it is not this broker's and this run's", "FOREIGN_CONTAINER");
  }
  return *std::move(found);
}

Result<run::Adopted> KubernetesBackend::Adopt(const Former& former, const RunId& run_id,
                                              const run::Patience& patience) {
  using State = run::Adopted::State;
  Parts& parts = *parts_;
  const run::Resource& job = former.container;
  // A list that is under way may be older than what is asked for here.
  TW_TRY(parts.watcher.WaitUntilFollowing(patience));
  // First, so that no end is missed.
  auto tracked = parts.watcher.Track(run_id, {}, /*outlasts_cluster=*/true, former.runner);
  TW_ASSIGN(const Json found, parts.ReadOld(job, run_id, patience));
  const bool stopped = WasStopped(found);
  tracked->ExpectKill(stopped);
  tracked->BelongTo(UidOf(found));
  parts.watcher.LookAtJob(found);
  // The former broker may not have come to compare it. The Job itself was compared when it was
  // made, and its template cannot be changed since.
  const auto check = [asked = At(found, {"spec", "template"})](const Json& pod) {
    return CheckPod(asked, pod);
  };
  TW_TRY(parts.watcher.AskForPods(run_id, check, patience));
  run::Adopted adopted;
  const std::optional<PodView> pod = tracked->pod();
  run::ContainerExit killed;
  killed.exit_code = 128 + SIGKILL;
  if (stopped && !pod && tracked->exited().Set(std::move(killed))) {
    // All that is known: whether that was within its timeout.
    adopted.started_at = ParseTime(TextAt(At(found, {"metadata"}), "creationTimestamp"));
    adopted.finished_at = std::chrono::system_clock::now();
  }
  if (tracked->exited().Peek()) {
    adopted.state = State::kEnded;
  } else if (stopped) {
    adopted.state = State::kRunning;  // its pod is about to go, and must not be made anew
  } else if (former.runner.empty() && (!pod || !HasStarted(*pod))) {
    // Where it has been let go already, to let it go again changes nothing; and whoever starts it
    // does not wait for ever for what hinders it.
    adopted.state = State::kCreated;
  }
  if (pod) {
    adopted.started_at = pod->job.started_at;
    adopted.finished_at = pod->job.finished_at;
  }
  adopted.container = parts.MakeContainer(run_id, job.name, UidOf(found), std::move(tracked));
  return adopted;
}

run::Removal KubernetesBackend::Remove(const run::Resource& resource, const RunId& run_id,
                                       Deadline deadline) {
  return parts_->remover.Remove(resource, run_id, deadline);
}

void KubernetesBackend::ExpectLate(const run::Resource& resource,
                                   std::chrono::milliseconds elapsed) {
  if (elapsed >= parts_->settings.settle_time) return;
  parts_->remover.ExpectLater(resource, Deadline::At(Deadline::Clock::now() - elapsed));
}

Result<std::vector<run::Backend::Labelled>> KubernetesBackend::Parts::List(
    const std::string& query, const run::Patience& patience) {
  std::vector<Labelled> found;
  for (const Kind kind : kKinds) {
    TW_TRY(api.ListMetadata(KindOf(kind), query, patience, [&](const Json& item) {
      const Json& labels = At(item, {"metadata", "labels"});
      std::string uid = UidOf(item);
      if (uid.empty() || !labels.is_object() || !labels.contains(kBrokerLabel)) return;
      found.push_back({.resource = {.kind = kind, .name = NameOf(item), .id = std::move(uid)},
                       .broker_id = TextAt(labels, kBrokerLabel),
                       .run_id = TextAt(labels, kRunLabel)});
    }));
  }
  return found;
}

// The cluster's selection is not relied upon.
Result<std::vector<run::Backend::Owned>> KubernetesBackend::ListOwned(
    const run::Patience& patience) {
  const BrokerId& broker_id = parts_->settings.broker_id;
  TW_ASSIGN(std::vector<Labelled> labelled,
            parts_->List(LabelQuery(kBrokerLabel, broker_id.value()), patience));
  std::vector<Owned> owned;
  for (Labelled& one : labelled) {
    if (one.broker_id != broker_id.value() || !IsRandomId(one.run_id)) continue;
    owned.push_back({.resource = std::move(one.resource), .run_id = RunId(std::move(one.run_id))});
  }
  return owned;
}

Result<std::vector<run::Backend::Labelled>> KubernetesBackend::ListLabelled(Deadline deadline) {
  return parts_->List("labelSelector=" + std::string(kBrokerLabel),
                      {.stop = {}, .deadline = deadline});
}

std::vector<std::string> KubernetesBackend::Shortfalls(Deadline deadline) {
  return FindShortfalls(parts_->api, {.stop = {}, .deadline = deadline});
}

std::vector<policy::Enforcement> KubernetesBackend::Notes(
    const policy::EffectiveRun& effective) const {
  return policy::KubernetesEnforcement(effective, parts_->target);
}

Result<std::string> KubernetesBackend::Describe(Deadline deadline) {
  TW_ASSIGN(const std::string version, parts_->api.Version({.stop = {}, .deadline = deadline}));
  return "kubernetes " + version + ", namespace " + parts_->settings.name_space;
}

}  // namespace tidewaiter::kubernetes
