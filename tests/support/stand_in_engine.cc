#include "tests/support/stand_in_engine.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "tests/support/stand_in_list.h"
#include "tests/support/stand_in_log.h"
#include "tests/support/stand_in_recordings.h"

namespace tidewaiter::testing {

using nlohmann::json;

struct StandInEngine::Container {
  std::string id;
  std::string name;
  json config;       // as it was created
  json host_config;  // likewise
  std::string status = "created";
  int exit_code = 0;
  std::string error = {};  // of a start that failed
  std::optional<StandInTime> started_at = {};
  std::optional<StandInTime> finished_at = {};
  [[nodiscard]] bool ended() const { return status == "exited" || status == "removed"; }
};

namespace {

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

std::string StandInEngine::PlantNetwork(const std::string& name, const json& labels) {
  const std::lock_guard lock(mutex_);
  const std::string id = std::string(48, 'd') + std::to_string(1000000000000000 + next_id_++);
  networks_[id] = json{{"Id", id}, {"Name", name}, {"Labels", labels}};
  return id;
}

void StandInEngine::ForgetImages() {
  const std::lock_guard lock(mutex_);
  has_images_ = false;
}

std::vector<json> StandInEngine::Holdings() const {
  const std::lock_guard lock(mutex_);
  std::vector<json> all;
  for (const auto& [id, container] : containers_) {
    all.push_back({{"Kind", "container"},
                   {"Id", id},
                   {"Name", container->name},
                   {"Labels", container->config.value("Labels", json::object())},
                   {"Status", container->status}});
  }
  for (const auto& [id, network] : networks_) {
    all.push_back({{"Kind", "network"},
                   {"Id", id},
                   {"Name", network.value("Name", "")},
                   {"Labels", network.value("Labels", json::object())}});
  }
  return all;
}

std::size_t StandInEngine::SecondStarts() const {
  const std::lock_guard lock(mutex_);
  return second_starts_;
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
  const auto answer = [&](json body) {
    {
      const std::lock_guard lock(mutex_);
      if (tamper_) tamper_(body);
    }
    connection.Answer(200, body.dump());
  };
  if (call == "GET /version") {
    connection.Answer(200, kVersion);
  } else if (call == "GET /_ping" || call == "HEAD /_ping") {
    connection.Answer(200, request.method == "GET" ? "OK" : "", "text/plain");
  } else if (call == "GET /info") {
    answer(Parse(kInfo));
  } else if (call == "GET /events") {
    Events(connection);
  } else if (call == "GET /containers/json") {
    List(request, connection);
  } else if (call == "POST /containers/create") {
    Create(request, connection);
  } else if (path.starts_with("/images/")) {
    if (!ImageCall(call, path, connection)) connection.Answer(404, Message("page not found"));
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
      std::unique_lock lock(mutex_);
      json inspect = Inspect(*container);
      lock.unlock();
      answer(std::move(inspect));
    } else if (action == "attach") {
      Attach(container, connection);
    } else if (action == "logs") {
      std::optional<StandInTime> started_at;
      {
        const std::lock_guard lock(mutex_);
        started_at = container->started_at;
      }
      AnswerLog(container->config["Cmd"], container->host_config, started_at, request.query,
                connection);
    } else if (action == "start") {
      Start(*container, connection);
    } else if (action == "kill" || action == "stop") {
      bool running = false;
      {
        const std::lock_guard lock(mutex_);
        running = container->status == "running";
        if (running) {
          Finish(*container, QueryValue(request.query, "signal") == "SIGTERM" ? 143 : 137);
        }
      }
      if (!running) {
        connection.Answer(
            409, Message("Cannot kill container: " + id + ": Container " + id + " is not running"));
        return;
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

bool StandInEngine::ImageCall(const std::string& call, const std::string& path,
                              StandInConnection& connection) {
  const std::lock_guard lock(mutex_);
  if (call == "POST /images/create") {
    has_images_ = true;
    connection.CloseAfterwards();
    return connection.BeginChunks() &&
               connection.Chunk(R"({"status":"Pulling from lab/toolbox","id":"1.0.0"})"
                                "\n") &&
               connection.Chunk(R"({"status":"Pull complete","progressDetail":{},"id":"a1"})"
                                "\n") &&
               connection.Chunk(""),
           true;
  }
  if (!path.ends_with("/json")) return false;
  const std::string name = path.substr(8, path.size() - 8 - 5);
  if (!has_images_) return connection.Answer(404, Message("No such image: " + name)), true;
  json image{{"Id", kImageId}, {"Os", "linux"}, {"Config", Parse(kConfigDefaults)}};
  image["RepoDigests"] = json::array({name.substr(0, name.find('@')) + "@" + kDigest});
  return connection.Answer(200, image.dump()), true;
}

void StandInEngine::Start(Container& container, StandInConnection& connection) {
  const json& command = container.config["Cmd"];
  const bool has_word = command.is_array() && command.size() == 2;
  if (has_word && command[0] == "missing") {
    const std::lock_guard lock(mutex_);
    container.exit_code = 127;
    container.error =
        "OCI runtime create failed: runc create failed: unable to start container process: exec: "
        "\"" +
        command[1].get<std::string>() + "\": executable file not found in $PATH: unknown";
    connection.Answer(400, Message(container.error));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (container.status != "created") ++second_starts_;
    container.status = "running";
    container.started_at = StandInTime(std::chrono::system_clock::now());
    if (has_word) {
      if (command[0] == "exit") Finish(container, std::stoi(command[1].get<std::string>()));
      if (command[0] == "print" || command[0] == "flood") Finish(container, 0);
    }
  }
  changed_.notify_all();
  connection.Answer(204, "");
}

void StandInEngine::Create(const StandInRequest& request, StandInConnection& connection) {
  json body = Parse(request.body);
  const json command = body.value("Cmd", json::array());
  if (!command.empty() && command[0] == "refused") {
    connection.Answer(400, Message("stand-in: bad parameter"));
    return;
  }
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
                {"Error", container.error},
                {"StartedAt", EngineTimeText(container.started_at)},
                {"FinishedAt", EngineTimeText(container.finished_at)}}},
              {"HostConfig", host},
              {"Config", config},
              {"Mounts", mounts},
              {"AppArmorProfile", ""},
              {"NetworkSettings", {{"Networks", {{network_name, json::object()}}}}}};
}

void StandInEngine::List(const StandInRequest& request, StandInConnection& connection) {
  json list = json::array();
  const std::lock_guard lock(mutex_);
  for (const auto& [id, container] : containers_) {
    list.push_back({{"Id", id},
                    {"Names", {"/" + container->name}},
                    {"Labels", container->config.value("Labels", json::object())},
                    {"State", container->status}});
  }
  AnswerList(std::move(list), request.query, connection);
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
    const bool used = std::any_of(containers_.begin(), containers_.end(), [&](const auto& entry) {
      return entry.second->status == "running" &&
             entry.second->host_config.value("NetworkMode", "") == found->first;
    });
    if (used) {
      return connection.Answer(403, Message("error while removing network: network " + wanted +
                                            " has active endpoints")),
             true;
    }
    networks_.erase(found);
    return connection.Answer(204, ""), true;
  }
  return false;
}

void StandInEngine::Attach(const std::shared_ptr<Container>& container,
                           StandInConnection& connection) {
  if (!connection.Upgrade()) return;
  const json& command = container->config["Cmd"];
  const bool at_once = command.is_array() && !command.empty() && command[0] == "say";
  // The run's end and the client's departure both end the stream.
  for (bool sent = false, ended = false; !ended;) {
    bool due = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(500), [&] {
        ended = stopping_ || container->ended();
        due = !sent && container->started_at && (at_once || ended);
        return ended || due;
      });
    }
    sent = sent || due;
    if (due ? !SendOutput(command, connection) : connection.PeerGone(0)) return;
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
  container.finished_at = StandInTime(std::chrono::system_clock::now());
  events_.push_back(DieEvent(container.id, container.name,
                             container.config.value("Labels", json::object()), kImageId,
                             exit_code));
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
