#include "tests/support/stand_in_cluster.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "tests/support/cluster_defaults.h"
#include "tests/support/cluster_exec.h"
#include "tests/support/cluster_pod.h"
#include "tests/support/cluster_recordings.h"
#include "tests/support/stand_in_recordings.h"
#include "tests/support/stand_in_websocket.h"

namespace tidewaiter::testing {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

// Between looks whether who follows a log is still there.
constexpr milliseconds kFollowerLook(1000);
// And whether a container ends while nothing is said to it.
constexpr int kStdinLookMillis = 20;
constexpr milliseconds kBookmarkEvery(60000);
constexpr std::size_t kPiece = 16384;

constexpr const char* kMetadata = "as=PartialObjectMetadataList";

constexpr const char* kClusterVersion =
    R"({"major":"1","minor":"20","gitVersion":"v1.20.2","gitTreeState":"clean",)"
    R"("goVersion":"go1.15.15","compiler":"gc","platform":"linux/amd64"})";

json Parse(const std::string& text) {
  json parsed = json::parse(text, nullptr, false);
  return parsed.is_object() ? parsed : json::object();
}

std::string Query(const StandInRequest& request, const std::string& name) {
  return PercentDecode(QueryValue("&" + request.query, "&" + name));
}

bool Refuse(StandInConnection& connection, int code, const std::string& reason,
            const std::string& message, const json& details = json::object()) {
  return connection.Answer(code, StatusText(code, reason, message, details));
}

}  // namespace

// What a path names.
struct StandInCluster::Target {
  std::string name_space;
  std::string plural;
  std::string name;
  std::string subresource;

  static Target Of(const std::string& path) {
    Target target;
    constexpr std::string_view kBefore = "/namespaces/";
    const std::size_t at = path.find(kBefore);
    if (at == std::string::npos) return target;
    std::size_t from = at + kBefore.size();
    for (std::string* part :
         {&target.name_space, &target.plural, &target.name, &target.subresource}) {
      if (from > path.size()) break;
      const std::size_t end = std::min(path.find('/', from), path.size());
      *part = path.substr(from, end - from);
      from = end + 1;
    }
    return target;
  }
};

StandInCluster::StandInCluster(milliseconds pace)
    : controllers_(
          store_, pace,
          [this](milliseconds delay, std::function<void()> step) { Later(delay, std::move(step)); },
          [this](const std::string& pod) {
            const auto [from, to] = followers_.equal_range(pod);
            for (auto at = from; at != to; ++at) at->second->notify_all();
          }) {
  worker_ = std::thread([this] { Work(); });
  server_ = std::make_unique<StandInServer>(
      StandInServer::kLoopback,
      [this](const StandInRequest& request, StandInConnection& c) { Handle(request, c); });
}

StandInCluster::~StandInCluster() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [pod, told] : followers_) told->notify_all();
  }
  changed_.notify_all();
  due_.notify_all();
  worker_.join();
  server_.reset();
}

std::vector<std::string> StandInCluster::Calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::size_t StandInCluster::Watches() const {
  const std::lock_guard lock(mutex_);
  return watches_;
}

std::size_t StandInCluster::Count(const std::string& plural) const {
  const std::lock_guard lock(mutex_);
  return store_.Count(plural);
}

std::size_t StandInCluster::SecondPods() const {
  const std::lock_guard lock(mutex_);
  return controllers_.second_pods();
}

void StandInCluster::ForgetChanges() {
  const std::lock_guard lock(mutex_);
  store_.Forget();
}

void StandInCluster::LoseNodes() {
  const std::lock_guard lock(mutex_);
  controllers_.LoseNodes();
  changed_.notify_all();
}

void StandInCluster::Plant(const std::string& plural, const std::string& name, const json& labels) {
  const std::lock_guard lock(mutex_);
  json object{{"metadata", {{"name", name}, {"namespace", "tidewaiter"}, {"labels", labels}}}};
  object["spec"] = json::object();
  object["status"] = {{"phase", "Running"}};
  store_.Add(plural, std::move(object));
  changed_.notify_all();
}

std::vector<json> StandInCluster::Holdings() const {
  const std::lock_guard lock(mutex_);
  std::vector<json> all;
  for (const char* plural : {"jobs", "pods", "secrets", "networkpolicies"}) {
    const json list = store_.List(plural, LabelSelector(""), 0, "");
    for (const json& object : list["items"]) {
      const json& metadata = object["metadata"];
      all.push_back({{"Kind", plural},
                     {"Name", metadata["name"]},
                     {"Uid", metadata["uid"]},
                     {"Version", metadata["resourceVersion"]},
                     {"Labels", metadata.value("labels", json::object())}});
    }
  }
  return all;
}

// Under the lock.
void StandInCluster::Later(milliseconds delay, std::function<void()> step) {
  steps_.emplace(Clock::now() + delay, std::move(step));
  due_.notify_one();
}

void StandInCluster::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    due_.wait(lock, [&] { return stopping_ || !steps_.empty(); });
    if (stopping_) return;
    const auto first = steps_.begin();
    if (first->first > Clock::now()) {
      due_.wait_until(lock, first->first);
      continue;
    }
    const std::function<void()> step = std::move(first->second);
    steps_.erase(first);
    step();
    changed_.notify_all();
  }
}

void StandInCluster::Handle(const StandInRequest& request, StandInConnection& connection) {
  const bool watch = request.query.find("watch=1") != std::string::npos;
  {
    const std::lock_guard lock(mutex_);
    if (watch) {
      ++watches_;
    } else {
      calls_.push_back(request.method + " " + request.path);
    }
  }
  const Target target = Target::Of(request.path);
  if (watch) {
    Watch(request, target, connection);
  } else if (target.subresource == "log") {
    Log(request, target, connection);
  } else if (target.subresource == "exec") {
    Exec(request, target, connection);
  } else if (target.subresource == "attach") {
    Attach(request, target, connection);
  } else if (request.path == "/version") {
    connection.Answer(200, kClusterVersion);
  } else if (request.path.ends_with("/selfsubjectaccessreviews")) {
    json review = Parse(request.body);
    review["status"] = {{"allowed", true}};
    connection.Answer(201, review.dump());
  } else if (target.plural.empty()) {
    Refuse(connection, 404, "NotFound", "the server could not find the requested resource");
  } else {
    Dispatch(request, target, connection);
  }
}

void StandInCluster::Dispatch(const StandInRequest& request, const Target& target,
                              StandInConnection& connection) {
  const std::lock_guard lock(mutex_);
  if (target.name.empty() && request.method == "POST") return Create(request, target, connection);
  if (target.name.empty()) {
    const std::string limit = Query(request, "limit");
    json list = store_.List(target.plural, LabelSelector(Query(request, "labelSelector")),
                            std::strtoul(limit.c_str(), nullptr, 10), Query(request, "continue"));
    if (const auto accept = request.headers.find("accept");
        accept != request.headers.end() && accept->second.find(kMetadata) != std::string::npos) {
      LeaveMetadata(list);
    }
    connection.Answer(200, list.dump());
    return;
  }
  json* const object = store_.Find(target.plural, target.name);
  if (object == nullptr) {
    Refuse(connection, 404, "NotFound",
           ResourceName(target.plural) + " \"" + target.name + "\" not found",
           DetailsOf(target.plural, target.name));
  } else if (request.method == "GET") {
    connection.Answer(200, object->dump());
  } else if (request.method == "PATCH") {
    Patch(request, *object, target, connection);
  } else {
    Delete(request, *object, target, connection);
  }
}

void StandInCluster::Create(const StandInRequest& request, const Target& target,
                            StandInConnection& connection) {
  json object = Parse(request.body);
  const std::string name = object["metadata"].value("name", "");
  if (store_.Find(target.plural, name) != nullptr) {
    Refuse(connection, 409, "AlreadyExists",
           ResourceName(target.plural) + " \"" + name + "\" already exists",
           DetailsOf(target.plural, name));
    return;
  }
  DefaultMetadata(object["metadata"]);
  object["metadata"]["namespace"] = target.name_space;
  object["metadata"]["uid"] = store_.NewUid();
  if (target.plural == "jobs") {
    const json& container = object["spec"]["template"]["spec"]["containers"][0];
    if (container.value("command", json::array({""}))[0] == "refused") {
      Refuse(connection, 422, "Invalid", "Job.batch \"" + name + "\" is invalid: stand-in",
             DetailsOf(target.plural, name));
      return;
    }
    DefaultJob(object);
  }
  if (Query(request, "dryRun") == "All") {
    object["metadata"]["creationTimestamp"] = ClusterTime();
    connection.Answer(201, object.dump());
    return;
  }
  const json& kept = store_.Add(target.plural, std::move(object));
  const std::string answer = kept.dump();
  if (target.plural == "jobs") controllers_.LookAt(kept);
  changed_.notify_all();
  connection.Answer(201, answer);
}

void StandInCluster::Patch(const StandInRequest& request, json& object, const Target& target,
                           StandInConnection& connection) {
  json patched = object;
  patched.merge_patch(Parse(request.body));
  if (patched != object) {
    object = std::move(patched);
    store_.Changed(target.plural, object);
    if (target.plural == "jobs") controllers_.LookAt(object);
    changed_.notify_all();
  }
  connection.Answer(200, object.dump());
}

void StandInCluster::Delete(const StandInRequest& request, json& object, const Target& target,
                            StandInConnection& connection) {
  const json options = Parse(request.body);
  json& metadata = object["metadata"];
  const std::string uid = metadata["uid"];
  const std::string meant = options.value("preconditions", json::object()).value("uid", uid);
  if (meant != uid) {
    Refuse(connection, 409, "Conflict",
           "Operation cannot be fulfilled on " + ResourceName(target.plural) + " \"" + target.name +
               "\": the UID in the precondition (" + meant +
               ") does not match the UID in record (" + uid +
               "). The object might have been deleted and then recreated",
           DetailsOf(target.plural, target.name));
    return;
  }
  const bool foreground = options.value("propagationPolicy", "") == "Foreground";
  std::string answer;
  if (target.plural == "jobs" && foreground) {
    if (!metadata.contains("deletionTimestamp")) {
      metadata["deletionTimestamp"] = ClusterTime();
      metadata["deletionGracePeriodSeconds"] = 0;
      metadata["finalizers"] = {"foregroundDeletion"};
      store_.Changed(target.plural, object);
      controllers_.CollectForeground(uid);
    }
    answer = object.dump();
  } else if (target.plural == "pods") {
    answer = object.dump();
    controllers_.DeletePod(object, options.value("gracePeriodSeconds", -1L));
    if (const json* const left = store_.Find(target.plural, target.name)) answer = left->dump();
  } else {
    json details = DetailsOf(target.plural, target.name);
    details["uid"] = uid;
    answer = json{{"kind", "Status"},
                  {"apiVersion", "v1"},
                  {"metadata", json::object()},
                  {"status", "Success"},
                  {"details", std::move(details)}}
                 .dump();
    store_.Remove(target.plural, target.name);
    if (target.plural == "jobs") controllers_.CollectOrphans(uid);
  }
  changed_.notify_all();
  connection.Answer(200, answer);
}

void StandInCluster::Watch(const StandInRequest& request, const Target& target,
                           StandInConnection& connection) {
  connection.CloseAfterwards();
  std::uint64_t version = std::strtoull(Query(request, "resourceVersion").c_str(), nullptr, 10);
  const LabelSelector selector(Query(request, "labelSelector"));
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const long seconds = std::strtol(Query(request, "timeoutSeconds").c_str(), nullptr, 10);
  const auto end = now() + std::chrono::seconds(seconds > 0 ? seconds : 1800);
  auto bookmark = now() + kBookmarkEvery;
  if (!connection.BeginChunks()) return;
  while (now() < end) {
    std::string lines;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kFollowerLook,
                        [&] { return stopping_ || store_.version() > version; });
      if (stopping_) return;
      if (!store_.Since(version, target.plural, selector, lines)) {
        lines = TooOldEvent(version);
        lock.unlock();
        static_cast<void>(connection.Chunk(lines) && connection.Chunk(""));
        return;
      }
    }
    if (now() >= bookmark) {
      lines += BookmarkEvent(target.plural, version);
      bookmark = now() + kBookmarkEvery;
    }
    if (lines.empty() ? connection.PeerGone(0) : !connection.Chunk(lines)) return;
  }
  connection.Chunk("");
}

void StandInCluster::Log(const StandInRequest& request, const Target& target,
                         StandInConnection& connection) {
  const std::string container = Query(request, "container");
  const bool follow = Query(request, "follow") == "true";
  std::condition_variable told;
  std::unique_lock lock(mutex_);
  const json* pod = store_.Find("pods", target.name);
  if (pod == nullptr) {
    Refuse(connection, 404, "NotFound", "pods \"" + target.name + "\" not found",
           DetailsOf("pods", target.name));
    return;
  }
  if (const json& state = ContainerState(*pod, container);
      state.is_null() || state.contains("waiting")) {
    Refuse(connection, 400, "BadRequest",
           "container \"" + container + "\" in pod \"" + target.name +
               "\" is waiting to start: ContainerCreating");
    return;
  }
  std::string output;
  for (const json& one : (*pod)["spec"]["containers"]) {
    if (one["name"] == container) output = DeedOf(one).output;
  }
  lock.unlock();
  connection.CloseAfterwards();
  bool heard = connection.BeginChunks();
  for (std::size_t at = 0; heard && at < output.size(); at += kPiece) {
    heard = connection.Chunk(std::string_view(output).substr(at, kPiece));
  }
  if (!heard) return;
  lock.lock();
  const auto entry = followers_.emplace(target.name, &told);
  const auto runs = [&] {
    const json* const now = store_.Find("pods", target.name);
    return now != nullptr && ContainerState(*now, container).contains("running");
  };
  while (follow && !stopping_ && runs() && heard) {
    told.wait_for(lock, kFollowerLook);
    heard = !connection.PeerGone(0);
  }
  followers_.erase(entry);
  lock.unlock();
  if (heard) connection.Chunk("");
}

// Under the lock. The node's own answers, which the API server passes on, are plain text.
const json* StandInCluster::Enter(const StandInRequest& request, const Target& target,
                                  StandInConnection& connection) {
  const std::string container = Query(request, "container");
  const json* const pod = store_.Find("pods", target.name);
  if (pod == nullptr) {
    Refuse(connection, 404, "NotFound", "pods \"" + target.name + "\" not found",
           DetailsOf("pods", target.name));
  } else if (ContainerNamed(*pod, container).is_null()) {
    Refuse(connection, 400, "BadRequest",
           "container " + container + " is not valid for pod " + target.name);
  } else if (!StandInWebSocket::Asked(request)) {
    Refuse(connection, 400, "BadRequest", "Upgrade request required");
  } else if (const json& state = ContainerState(*pod, container);
             state.is_null() || state.contains("waiting")) {
    connection.Answer(500, "container not found (\"" + container + "\")", "text/plain");
  } else {
    return pod;
  }
  return nullptr;
}

void StandInCluster::Exec(const StandInRequest& request, const Target& target,
                          StandInConnection& connection) {
  const std::string container = Query(request, "container");
  std::unique_lock lock(mutex_);
  const json* const pod = Enter(request, target, connection);
  if (pod == nullptr) return;
  const std::string uid = (*pod)["metadata"]["uid"];
  const ExecDeed deed = DeedOfExec(*pod, container, CommandOf(request));
  lock.unlock();
  StandInWebSocket socket(request, connection);
  bool heard = socket.Send(StandInWebSocket::kStdout, "");  // tells that it has begun
  if (!deed.out.empty()) heard = heard && socket.Send(StandInWebSocket::kStdout, deed.out);
  if (!deed.err.empty()) heard = heard && socket.Send(StandInWebSocket::kStderr, deed.err);
  // As the carrier, which has /dev/null for a stdin that was not asked for.
  if (heard && deed.ends_holder && Query(request, "stdin") == "true" && socket.Receive()) {
    lock.lock();
    controllers_.EndContainer(uid, container, 0);
    lock.unlock();
  }
  if (heard) socket.Send(StandInWebSocket::kStatus, deed.status);
}

// Of stdin alone. Its end is the connection's.
void StandInCluster::Attach(const StandInRequest& request, const Target& target,
                            StandInConnection& connection) {
  const std::string container = Query(request, "container");
  std::unique_lock lock(mutex_);
  const json* const pod = Enter(request, target, connection);
  if (pod == nullptr) return;
  const std::string uid = (*pod)["metadata"]["uid"];
  const ContainerDeed deed = DeedOf(ContainerNamed(*pod, container));
  lock.unlock();
  StandInWebSocket socket(request, connection);
  const auto runs = [&] {
    const std::lock_guard looking(mutex_);
    const json* const now = store_.FindUid("pods", uid);
    return now != nullptr && ContainerState(*now, container).contains("running");
  };
  bool more = socket.Send(StandInWebSocket::kStatus, "");
  while (more && runs()) {
    if (socket.Heard(kStdinLookMillis)) more = socket.Receive().has_value();
  }
  if (!more && deed.drains) {
    lock.lock();
    controllers_.EndContainer(uid, container, deed.exit_code);
    lock.unlock();
  }
  socket.Send(StandInWebSocket::kStatus, kubernetes::kExecSuccess);
}

}  // namespace tidewaiter::testing
