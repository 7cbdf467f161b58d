#include "audit/ocsf.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "audit/ocsf_class.h"
#include "audit/record_members.h"
#include "audit/timestamp.h"

namespace tidewaiter::audit {
namespace {

using Json = nlohmann::json;

// The event that is made of a record, and what of the record has no place in it yet.
class Event {
 public:
  explicit Event(const Json& record) : record_(record), unmapped_(record) {}

  // Where the record has that text: sets `place`, and takes it from what is unmapped.
  void Move(std::string_view name, Json& place) {
    const std::string_view text = TextOf(record_, name);
    if (text.empty()) return;
    place = text;
    unmapped_.erase(std::string(name));
  }
  void MoveNumber(std::string_view name, Json& place) {
    const auto number = IntegerOf(record_, name);
    if (!number) return;
    place = *number;
    unmapped_.erase(std::string(name));
  }
  void Drop(std::string_view name) { unmapped_.erase(std::string(name)); }

  [[nodiscard]] const Json& record() const noexcept { return record_; }
  [[nodiscard]] Json& out() noexcept { return out_; }
  [[nodiscard]] Json& unmapped() noexcept { return unmapped_; }

 private:
  const Json& record_;
  Json unmapped_;
  Json out_ = Json::object();
};

Json Product(const Json& record) {
  return {
      {"name", "Tidewaiter"}, {"vendor_name", "Tidewaiter"}, {"uid", TextOf(record, "broker_id")}};
}

void AddMetadata(Event& event) {
  Json& metadata = event.out()["metadata"];
  const Json& record = event.record();
  metadata = {{"version", kOcsfVersion}, {"product", Product(record)}, {"log_name", "audit"}};
  metadata["profiles"] = {"security_control", "container", "host"};
  event.Move("time", metadata["original_time"]);
  event.MoveNumber("index", metadata["sequence"]);
  event.Move("type", metadata["event_code"]);
  event.Move("run_id", metadata["correlation_uid"]);
  if (metadata["correlation_uid"].is_null()) metadata.erase("correlation_uid");
  metadata["uid"] = std::string(TextOf(record, "broker_id")) + '/' +
                    std::to_string(IntegerOf(record, "index").value_or(0));
  if (const auto schema = IntegerOf(record, "schema")) {
    metadata["log_version"] = std::to_string(*schema);
    event.Drop("schema");
  }
  event.Drop("broker_id");
}

// Who asked; the broker itself where nobody did.
void AddActor(Event& event) {
  Json& actor = event.out()["actor"];
  const Json& record = event.record();
  if (TextOf(record, "principal").empty()) {
    actor = {{"app_name", "tidewaiterd"}, {"app_uid", TextOf(record, "broker_id")}};
    return;
  }
  event.Move("principal", actor["user"]["name"]);
  if (const auto uid = IntegerOf(record, "uid")) {
    actor["user"]["uid"] = std::to_string(*uid);
    event.Drop("uid");
  }
  if (const auto gid = IntegerOf(record, "gid")) {
    actor["user"]["groups"] = {{{"uid", std::to_string(*gid)}}};
    event.Drop("gid");
  }
  if (IntegerOf(record, "pid")) event.MoveNumber("pid", actor["process"]["pid"]);
  const std::string path(TextOf(record, "executable"));
  if (path.starts_with('/')) {
    actor["process"]["file"] = {
        {"path", path}, {"name", path.substr(path.rfind('/') + 1)}, {"type_id", 1}};
    event.Drop("executable");
  } else if (!path.empty()) {
    event.Move("executable", actor["process"]["name"]);
  }
}

// The kernel vouches for a caller of the same machine; the log does not name that.
void AddHost(Event& event) {
  event.out()["device"] = {{"type_id", 0},
                           {"type", "Unknown"},
                           {"uid", TextOf(event.record(), "broker_id")},
                           {"instance_uid", TextOf(event.record(), "boot_id")}};
  event.Drop("boot_id");
}

Json ImageOf(Event& event) {
  const Json& record = event.record();
  const std::string_view canonical = TextOf(record, "image");
  const std::string_view name = canonical.empty() ? TextOf(record, "requested_image") : canonical;
  std::string_view uid = TextOf(record, "image_id");
  if (uid.empty()) uid = TextOf(record, "resolved_digest");
  if (const std::size_t at = name.rfind('@'); uid.empty() && at != std::string_view::npos) {
    uid = name.substr(at + 1);
  }
  Json image = Json::object();
  if (uid.empty()) return image;  // required by the schema
  image["uid"] = uid;
  if (!name.empty()) image["name"] = name;
  return image;
}

// The run as a process: its id, its container, its image.
void AddProcess(Event& event) {
  Json& process = event.out()["process"];
  process["uid"] = TextOf(event.record(), "run_id");
  process["name"] = "container";
  Json container = Json::object();
  event.Move("container_id", container["uid"]);
  if (container["uid"].is_null()) container.erase("uid");
  if (Json image = ImageOf(event); !image.empty()) container["image"] = std::move(image);
  if (!container.empty()) process["container"] = std::move(container);
}

void AddCall(Event& event, std::string_view operation) {
  const Json& record = event.record();
  Json& api = event.out()["api"];
  api = {{"operation", operation},
         {"service", {{"name", "tidewaiter.v1.Broker"}}},
         {"request", {{"uid", TextOf(record, "run_id")}}}};
  event.out()["src_endpoint"] = {{"name", "localhost"},
                                 {"instance_uid", TextOf(record, "boot_id")}};
  Json resource = {{"type", "run"}, {"uid", TextOf(record, "run_id")}};
  const std::string_view image = TextOf(record, "requested_image");
  if (!image.empty()) resource["name"] = image;
  event.out()["resources"] = Json::array({std::move(resource)});
}

void AddFile(Event& event) {
  const Json& record = event.record();
  const Json& archive = MemberOf(record, "archive");
  Json& file = event.out()["file"];
  event.out()["src_endpoint"] = {{"name", "localhost"},
                                 {"instance_uid", TextOf(record, "boot_id")}};
  if (!archive.is_object()) {  // what was kept of a run
    file = {{"name", TextOf(record, "run_id")}, {"type_id", 2}};
    return;
  }
  file = {{"name", TextOf(archive, "name")}, {"type_id", 1}};
  if (const auto size = IntegerOf(archive, "archive_bytes")) file["size"] = *size;
  std::string_view hash = TextOf(archive, "sha256");
  constexpr std::string_view kPrefix = "sha256:";
  if (hash.starts_with(kPrefix)) hash.remove_prefix(kPrefix.size());
  if (!hash.empty()) {
    file["hashes"] = {{{"algorithm_id", 3}, {"algorithm", "SHA-256"}, {"value", hash}}};
  }
}

void AddClassMembers(Event& event, const OcsfClass& kind) {
  switch (kind.class_uid) {
    case kOcsfProcess: AddProcess(event); break;
    case kOcsfEventLog: event.out()["log_name"] = "tidewaiter audit"; break;
    case kOcsfLifecycle: event.out()["app"] = Product(event.record()); break;
    case kOcsfApi: AddCall(event, kind.operation); break;
    case kOcsfFileHosting: AddFile(event); break;
    default: break;
  }
}

void AddDecision(Event& event, std::string_view type) {
  if (type != "run.admitted" && type != "run.denied") return;
  const bool allowed = type == "run.admitted";
  Json& out = event.out();
  out["action_id"] = allowed ? 1 : 2;
  out["action"] = allowed ? "Allowed" : "Denied";
  out["disposition_id"] = allowed ? 1 : 2;
  out["disposition"] = allowed ? "Allowed" : "Blocked";
  event.Move("policy", out["policy"]["name"]);
  event.Move("policy_hash", out["policy"]["version"]);
  const Json& violations = MemberOf(event.record(), "violations");
  if (violations.is_array() && !violations.empty()) {
    out["status_code"] = TextOf(violations.front(), "rule");
    out["status_detail"] = TextOf(violations.front(), "message");
  }
}

// How a run ended: the status, and how bad that is.
void AddOutcome(Event& event, int& severity, bool& success) {
  const Json& outcome = MemberOf(event.record(), "outcome");
  const std::string_view kind = TextOf(outcome, "kind");
  if (kind.empty()) return;
  const auto code = IntegerOf(outcome, "exit_code");
  success = kind == "EXITED" && code == 0;
  if (kind == "FAILED" || kind == "COMMAND_FAILED" || kind == "TIMED_OUT") severity = 2;
  if (kind == "LOST") severity = 3;
  if (!FlagOf(MemberOf(event.record(), "receipt"), "complete")) severity = 3;
  Json& out = event.out();
  if (code) out["exit_code"] = *code;
  if (const auto duration = IntegerOf(outcome, "duration_ms")) out["duration"] = *duration;
  out["status_code"] = kind;
  if (const std::string_view reason = TextOf(outcome, "reason"); !reason.empty()) {
    out["status_detail"] = reason;
  }
}

void AddStatus(Event& event, const OcsfClass& kind) {
  int severity = kind.severity_id;
  bool success = kind.success;
  AddOutcome(event, severity, success);
  Json& out = event.out();
  const std::string_view error = TextOf(MemberOf(event.record(), "archive"), "error");
  if (!error.empty()) {
    success = false;
    severity = 2;
    out["status_detail"] = error;
  }
  constexpr std::array<std::string_view, 5> kSeverities = {"Unknown", "Informational", "Low",
                                                           "Medium", "High"};
  out["severity_id"] = severity;
  out["severity"] = kSeverities.at(static_cast<std::size_t>(severity));
  out["status_id"] = success ? 1 : 2;
  out["status"] = success ? "Success" : "Failure";
}

}  // namespace

Result<std::string> ToOcsf(std::string_view line) {
  TW_ASSIGN(const Json record, ParseMembers(line));
  const std::string_view type = TextOf(record, "type");
  const std::optional<Timestamp> time = ParseTimestamp(TextOf(record, "time"));
  if (type.empty() || !time || !IntegerOf(record, "index")) {
    return Fail(ErrorCode::kInvalidArgument, "map record to OCSF: it has no type, time or index");
  }
  const OcsfClass& kind = OcsfClassOf(type);
  Event event(record);
  Json& out = event.out();
  out["class_uid"] = kind.class_uid;
  out["class_name"] = kind.class_name;
  out["category_uid"] = kind.class_uid / 1000;
  out["category_name"] = kind.category_name;
  out["activity_id"] = kind.activity_id;
  out["activity_name"] = kind.activity_name;
  out["type_uid"] = kind.class_uid * 100 + kind.activity_id;
  out["type_name"] = std::string(kind.class_name) + ": " + std::string(kind.activity_name);
  out["time"] = std::chrono::floor<std::chrono::milliseconds>(*time).time_since_epoch().count();
  AddClassMembers(event, kind);
  AddDecision(event, type);
  AddStatus(event, kind);
  AddMetadata(event);
  AddActor(event);
  AddHost(event);
  event.Move("detail", out["message"]);
  if (out["message"].is_null()) out["message"] = type;
  if (!event.unmapped().empty()) out["unmapped"] = std::move(event.unmapped());
  out["raw_data"] = line;
  return out.dump();
}

}  // namespace tidewaiter::audit
