#include "tests/support/stand_in_engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tidewaiter::testing {

using nlohmann::json;

struct StandInEngine::Container {
  std::string id;
  std::string name;
  json config;       // as it was created
  json host_config;  // likewise
  std::string status = "created";
  int exit_code = 0;
  [[nodiscard]] bool ended() const { return status == "exited" || status == "removed"; }
};

namespace {

// What HostConfig of an inspect says where the create call left it out, as recorded from
// Docker 20.10.24.
const char* const kHostConfigDefaults = R"({
  "Binds":null,"ContainerIDFile":"","PortBindings":null,"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,
  "CapAdd":null,"CapDrop":null,"CgroupnsMode":"host","Dns":null,"DnsOptions":null,"DnsSearch":null,"ExtraHosts":null,
  "GroupAdd":null,"IpcMode":"private","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"","Privileged":false,
  "PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"","ShmSize":67108864,
  "Runtime":"runc","ConsoleSize":[0,0],"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"",
  "BlkioWeight":0,"BlkioWeightDevice":null,"BlkioDeviceReadBps":null,"BlkioDeviceWriteBps":null,
  "BlkioDeviceReadIOps":null,"BlkioDeviceWriteIOps":null,"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,
  "CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"","Devices":null,"DeviceCgroupRules":null,
  "DeviceRequests":null,"KernelMemory":0,"KernelMemoryTCP":0,"MemoryReservation":0,"MemorySwap":0,
  "MemorySwappiness":null,"OomKillDisable":false,"PidsLimit":null,"Ulimits":null,"CpuCount":0,"CpuPercent":0,
  "IOMaximumIOps":0,"IOMaximumBandwidth":0,
  "MaskedPaths":["/proc/asound","/proc/acpi","/proc/kcore","/proc/keys","/proc/latency_stats","/proc/timer_list",
    "/proc/timer_stats","/proc/sched_debug","/proc/scsi","/sys/firmware"],
  "ReadonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]})";

const char* const kConfigDefaults = R"({
  "Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,
  "OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Volumes":null,"WorkingDir":"","Entrypoint":null,
  "OnBuild":null,"Labels":{}})";

const char* const kVersion =
    R"({"Platform":{"Name":""},"Version":"20.10.24+dfsg1","ApiVersion":"1.41",
  "MinAPIVersion":"1.12","GitCommit":"5d6db84","GoVersion":"go1.19.8","Os":"linux","Arch":"amd64"})";

std::string Message(const std::string& text) {
  return json{{"message", text}}.dump();
}

// `/v1.41/containers/x` without the version.
std::string WithoutVersion(const std::string& path) {
  if (path.starts_with("/v1.")) return path.substr(path.find('/', 1));
  return path;
}

std::string QueryValue(const std::string& query, const std::string& name) {
  const std::size_t at = query.find(name + "=");
  if (at == std::string::npos) return "";
  const std::size_t start = at + name.size() + 1;
  return query.substr(start, query.find('&', start) - start);
}

// A stdout frame of the multiplexed stream (Docker API, "ContainerAttach").
std::string Frame(std::string_view payload) {
  std::string frame(8, '\0');
  frame[0] = 1;
  for (std::size_t i = 0; i < 4; ++i) {
    frame[4 + i] = static_cast<char>((payload.size() >> (8 * (3 - i))) & 0xffU);
  }
  return frame + std::string(payload);
}

json Parse(const std::string& text) {
  json parsed = json::parse(text, nullptr, false);
  return parsed.is_discarded() ? json::object() : parsed;
}

}  // namespace

StandInEngine::StandInEngine(std::string socket_path)
    : server_(std::make_unique<StandInServer>(
          std::move(socket_path),
          [this](const StandInRequest& request, StandInConnection& c) { Handle(request, c); })) {}

StandInEngine::~StandInEngine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  server_.reset();
}

void StandInEngine::SetFaults(FaultAt fault_at) {
  const std::lock_guard lock(mutex_);
  fault_at_ = std::move(fault_at);
}

void StandInEngine::SetTamper(Tamper tamper) {
  const std::lock_guard lock(mutex_);
  tamper_ = std::move(tamper);
}

std::vector<std::string> StandInEngine::Calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::vector<json> StandInEngine::CreateBodies() const {
  const std::lock_guard lock(mutex_);
  return create_bodies_;
}

std::size_t StandInEngine::ContainerCount() const {
  const std::lock_guard lock(mutex_);
  return containers_.size();
}

std::size_t StandInEngine::NetworkCount() const {
  const std::lock_guard lock(mutex_);
  return networks_.size();
}

std::string StandInEngine::PlantContainer(const std::string& name, const json& labels) {
  const std::lock_guard lock(mutex_);
  auto container = std::make_shared<Container>();
  container->id = std::string(48, 'f') + std::to_string(1000000000000000 + next_id_++);
  container->name = name;
  container->config = json{{"Labels", labels}, {"Image", kImageId}};
  container->host_config = json::object();
  container->status = "running";
  containers_[container->id] = container;
  return container->id;
}

void StandInEngine::BreakEvents() {
  {
    const std::lock_guard lock(mutex_);
    ++event_breaks_;
  }
  changed_.notify_all();
}

void StandInEngine::Handle(const StandInRequest& request, StandInConnection& connection) {
  const std::string call = request.method + " " + WithoutVersion(request.path);
  Fault fault = Fault::kNone;
  {
    const std::lock_guard lock(mutex_);
    if (fault_at_) fault = fault_at_(calls_.size(), call);
    calls_.push_back(call);
  }
  switch (fault) {
    case Fault::kNone: Dispatch(request, call, connection); return;
    case Fault::kResetBefore: connection.Reset(); return;
    case Fault::kResetAfter: {
      // The effect happens; the answer goes nowhere.
      StandInConnection nowhere(-1);
      Dispatch(request, call, nowhere);
      connection.Reset();
      return;
    }
    case Fault::kError500: connection.Answer(500, Message("stand-in: internal error")); return;
    case Fault::kConflict409: connection.Answer(409, Message("stand-in: conflict")); return;
    case Fault::kNotFound404: connection.Answer(404, Message("stand-in: not found")); return;
    case Fault::kHang:
      while (!connection.PeerGone(1000)) {
      }
      connection.Reset();
      return;
    case Fault::kGarbage: connection.Answer(200, "{\"Id\": [1, \"\\ud800\""); return;
  }
}

void StandInEngine::Dispatch(const StandInRequest& request, const std::string& call,
                             StandInConnection& connection) {
  const std::string path = WithoutVersion(request.path);
  if (call == "GET /version") {
    connection.Answer(200, kVersion);
  } else if (call == "GET /_ping" || call == "HEAD /_ping") {
    connection.Answer(200, request.method == "GET" ? "OK" : "", "text/plain");
  } else if (call == "GET /info") {
    connection.Answer(
        200,
        R"({"OSType":"linux","DockerRootDir":"/srv/engine","Runtimes":{"runc":{"path":"runc"}},)"
        R"("SecurityOptions":["name=seccomp,profile=default"]})");
  } else if (call == "GET /events") {
    Events(connection);
  } else if (call == "GET /containers/json") {
    List(request, connection);
  } else if (call == "POST /containers/create") {
    Create(request, connection);
  } else if (path.starts_with("/images/") && path.ends_with("/json")) {
    const std::string name = path.substr(8, path.size() - 8 - 5);
    json image{{"Id", kImageId}, {"Os", "linux"}, {"Config", Parse(kConfigDefaults)}};
    image["RepoDigests"] = json::array({name.substr(0, name.find('@')) + "@" + kDigest});
    connection.Answer(200, image.dump());
  } else if (path.starts_with("/networks")) {
    if (!NetworkCall(request, call, connection)) connection.Answer(404, Message("page not found"));
  } else if (path.starts_with("/containers/")) {
    const std::string rest = path.substr(12);
    const std::string id = rest.substr(0, rest.find('/'));
    const std::string action =
        rest.find('/') == std::string::npos ? "" : rest.substr(rest.find('/') + 1);
    const std::shared_ptr<Container> container = Find(id);
    if (!container) {
      connection.Answer(404, Message("No such container: " + id));
    } else if (action == "json") {
      json inspect;
      {
        const std::lock_guard lock(mutex_);
        inspect = Inspect(*container);
        if (tamper_) tamper_(inspect);
      }
      connection.Answer(200, inspect.dump());
    } else if (action == "attach") {
      Attach(container, connection);
    } else if (action == "start") {
      {
        const std::lock_guard lock(mutex_);
        container->status = "running";
        const json& command = container->config["Cmd"];
        if (command.is_array() && command.size() == 2) {
          if (command[0] == "exit") Finish(*container, std::stoi(command[1].get<std::string>()));
          if (command[0] == "print" || command[0] == "flood") Finish(*container, 0);
        }
      }
      changed_.notify_all();
      connection.Answer(204, "");
    } else if (action == "kill" || action == "stop") {
      {
        const std::lock_guard lock(mutex_);
        if (!container->ended()) {
          const std::string signal = QueryValue(request.query, "signal");
          Finish(*container, signal == "TERM" || signal == "SIGTERM" || signal == "15" ? 143 : 137);
        }
      }
      changed_.notify_all();
      connection.Answer(204, "");
    } else if (request.method == "DELETE" && action.empty()) {
      {
        const std::lock_guard lock(mutex_);
        if (!container->ended()) Finish(*container, 137);
        container->status = "removed";
        containers_.erase(container->id);
      }
      changed_.notify_all();
      connection.Answer(204, "");
    } else {
      connection.Answer(404, Message("page not found"));
    }
  } else {
    connection.Answer(404, Message("page not found"));
  }
}

void StandInEngine::Create(const StandInRequest& request, StandInConnection& connection) {
  json body = Parse(request.body);
  {
    const std::lock_guard lock(mutex_);
    create_bodies_.push_back(body);
  }
  auto container = std::make_shared<Container>();
  container->name = QueryValue(request.query, "name");
  if (Find(container->name)) {
    connection.Answer(409, Message("Conflict. The container name \"/" + container->name +
                                   "\" is already in use"));
    return;
  }
  container->host_config = Parse(kHostConfigDefaults);
  if (body.contains("HostConfig")) {
    for (const auto& [key, value] : body["HostConfig"].items()) container->host_config[key] = value;
    body.erase("HostConfig");
  }
  body.erase("NetworkingConfig");
  container->config = Parse(kConfigDefaults);
  for (const auto& [key, value] : body.items()) container->config[key] = value;
  std::string answer;
  {
    const std::lock_guard lock(mutex_);
    container->id = std::string(48, 'c') + std::to_string(1000000000000000 + next_id_++);
    containers_[container->id] = container;
    answer = json{{"Id", container->id}, {"Warnings", json::array()}}.dump();
  }
  connection.Answer(201, answer);
}

json StandInEngine::Inspect(const Container& container) {
  json host = container.host_config;
  if (host.contains("LogConfig") && !host["LogConfig"].contains("Config")) {
    host["LogConfig"]["Config"] = json::object();
  }
  if (host.contains("RestartPolicy")) host["RestartPolicy"]["MaximumRetryCount"] = 0;
  json config = container.config;
  if (!config.contains("Hostname")) config["Hostname"] = container.id.substr(0, 12);
  json mounts = json::array();
  if (host.contains("Mounts")) {
    for (const json& mount : host["Mounts"]) {
      mounts.push_back({{"Type", mount.value("Type", "")},
                        {"Source", mount.value("Source", "")},
                        {"Destination", mount.value("Target", "")},
                        {"Mode", ""},
                        {"RW", !mount.value("ReadOnly", false)},
                        {"Propagation", mount.value("Type", "") == "bind" ? "rprivate" : ""}});
    }
  }
  const json& command = config["Cmd"];
  const bool has_command = command.is_array() && !command.empty();
  // The engine lists networks by name, whatever they were asked for by.
  const std::string mode = host.value("NetworkMode", "none");
  const auto network = networks_.find(mode);
  const std::string network_name =
      network != networks_.end() ? network->second.value("Name", mode) : mode;
  return json{{"Id", container.id},
              {"Name", "/" + container.name},
              {"Path", has_command ? command[0] : json("")},
              {"Args", has_command ? json(json::array_t(command.begin() + 1, command.end()))
                                   : json::array()},
              {"Image", config.value("Image", "")},
              {"State",
               {{"Status", container.status},
                {"Running", container.status == "running"},
                {"OOMKilled", false},
                {"ExitCode", container.exit_code},
                {"Error", ""}}},
              {"HostConfig", host},
              {"Config", config},
              {"Mounts", mounts},
              {"AppArmorProfile", ""},
              {"NetworkSettings", {{"Networks", {{network_name, json::object()}}}}}};
}

void StandInEngine::List(const StandInRequest&, StandInConnection& connection) {
  json list = json::array();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, container] : containers_) {
      list.push_back({{"Id", id},
                      {"Names", {"/" + container->name}},
                      {"Labels", container->config.value("Labels", json::object())},
                      {"State", container->status}});
    }
  }
  connection.Answer(200, list.dump());
}

bool StandInEngine::NetworkCall(const StandInRequest& request, const std::string& call,
                                StandInConnection& connection) {
  const std::lock_guard lock(mutex_);
  if (call == "GET /networks") {
    json list = json::array();
    for (const auto& [id, network] : networks_) list.push_back(network);
    return connection.Answer(200, list.dump()), true;
  }
  if (call == "POST /networks/create") {
    json network = Parse(request.body);
    const std::string id = std::string(48, 'e') + std::to_string(1000000000000000 + next_id_++);
    network["Id"] = id;
    networks_[id] = network;
    return connection.Answer(201, json{{"Id", id}, {"Warning", ""}}.dump()), true;
  }
  const std::string wanted = call.substr(call.rfind('/') + 1);
  const auto found = std::find_if(networks_.begin(), networks_.end(), [&](const auto& entry) {
    return entry.first == wanted || entry.second.value("Name", "") == wanted;
  });
  if (found == networks_.end()) {
    return connection.Answer(404, Message("network " + wanted + " not found")), true;
  }
  if (request.method == "GET") return connection.Answer(200, found->second.dump()), true;
  if (request.method == "DELETE") {
    networks_.erase(found);
    return connection.Answer(204, ""), true;
  }
  return false;
}

void StandInEngine::Attach(const std::shared_ptr<Container>& container,
                           StandInConnection& connection) {
  if (!connection.Upgrade()) return;
  // The run's end and the client's departure both end the stream.
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(500),
                        [&] { return stopping_ || container->ended(); });
      if (stopping_ || container->ended()) break;
    }
    if (connection.PeerGone(0)) return;
  }
  const json& command = container->config["Cmd"];
  if (!command.is_array() || command.size() != 2) return;
  if (command[0] == "print") connection.Raw(Frame(command[1].get<std::string>()));
  if (command[0] == "flood") {
    std::size_t left = std::stoul(command[1].get<std::string>());
    const std::string block(32768, 'x');
    while (left > 0) {
      const std::size_t size = std::min(left, block.size());
      if (!connection.Raw(Frame(std::string_view(block).substr(0, size)))) return;
      left -= size;
    }
  }
}

void StandInEngine::Events(StandInConnection& connection) {
  connection.CloseAfterwards();
  if (!connection.BeginChunks()) return;
  std::size_t next = 0;
  std::uint64_t breaks = 0;
  {
    const std::lock_guard lock(mutex_);
    next = events_.size();
    breaks = event_breaks_;
  }
  for (;;) {
    std::string lines;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(500), [&] {
        return stopping_ || breaks != event_breaks_ || next < events_.size();
      });
      if (stopping_ || breaks != event_breaks_) return;
      for (; next < events_.size(); ++next) lines += events_[next] + "\n";
    }
    if (lines.empty() ? connection.PeerGone(0) : !connection.Chunk(lines)) return;
  }
}

// Under the lock.
void StandInEngine::Finish(Container& container, int exit_code) {
  container.status = "exited";
  container.exit_code = exit_code;
  json attributes = container.config.value("Labels", json::object());
  attributes["exitCode"] = std::to_string(exit_code);
  attributes["name"] = container.name;
  attributes["image"] = kImageId;
  events_.push_back(json{{"status", "die"},
                         {"id", container.id},
                         {"from", kImageId},
                         {"Type", "container"},
                         {"Action", "die"},
                         {"Actor", {{"ID", container.id}, {"Attributes", attributes}}},
                         {"scope", "local"},
                         {"time", 1795316535},
                         {"timeNano", 1795316535803717079}}
                        .dump());
}

std::shared_ptr<StandInEngine::Container> StandInEngine::Find(const std::string& id_or_name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = containers_.find(id_or_name); found != containers_.end())
    return found->second;
  for (const auto& [id, container] : containers_) {
    if (container->name == id_or_name) return container;
  }
  return nullptr;
}

}  // namespace tidewaiter::testing
