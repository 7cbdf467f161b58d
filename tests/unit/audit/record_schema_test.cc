// docs/audit-record.schema.json and the encoder agree, and the schema is strict.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "audit/record.h"
#include "tests/support/audit_store.h"
#include "tests/support/project_file.h"
#include "tests/support/record_schema.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;
using testing::SchemaFaults;

const std::string kHash = "sha256:" + std::string(64, 'a');
const std::string kKeyed = "hmac-sha256:" + std::string(64, 'b');
const std::string kId(26, 'a');

std::string LineOf(const Record& record) {
  EncodedRecord encoded(record, "6f1c1c1e-8a0b-4a52-9a3e-0c6c1f1f3d3a", kId);
  encoded.SetTime(Timestamp(std::chrono::seconds(1'800'000'000)));
  std::string line;
  encoded.AppendTo(line, 7);
  line.pop_back();
  return line;
}

Record Of(RecordType type) {
  Record record;
  record.type = type;
  return record;
}

Record OfCaller(RecordType type, bool full) {
  Record record = Of(type);
  record.caller = Record::Caller{.principal = "validator", .uid = 1, .gid = 2, .pid = 3};
  if (!full) return record;
  record.caller->pid_start = 4;
  record.caller->executable = "/usr/bin/x";
  return record;
}

// With what every record of a run has that this process began.
Record OfRun(RecordType type, bool full) {
  Record record = OfCaller(type, full);
  record.run_id = kId;
  record.requested_image = "busybox";
  record.policy = "default";
  record.policy_hash = kHash;
  return record;
}

const std::string kPublicKey = testing::AuditKey()->verifier().ToString();

Record::Violation Violation() {
  return {.rule = "image.tag-required", .field = "", .message = "no tag", .remedy = "one"};
}

Record::Effective Effective(bool full) {
  Record::Effective effective;
  effective.network = "none";
  effective.user = "65534:65534";
  if (!full) return effective;
  effective.backend = "docker";
  effective.capabilities = {"NET_BIND_SERVICE"};
  effective.command = {kKeyed, kKeyed};
  effective.env = {{.name = "TOKEN", .value_hash = kKeyed}};
  effective.label_names = {"team"};
  effective.mounts = {{.target = "/a", .type = "bind", .source = "/srv", .size_bytes = {}},
                      {.target = "/b", .type = "tmpfs", .source = "", .size_bytes = 1},
                      {.target = "/c", .type = "input", .source = "in", .size_bytes = {}},
                      {.target = "/d", .type = "output", .source = "out", .size_bytes = {}},
                      {.target = "/e", .type = "volume", .source = "v", .size_bytes = {}}};
  effective.runtime = "runsc";
  effective.seccomp_profile = "strict";
  effective.working_dir = "/work";
  return effective;
}

// Everything that a record of its type can have, or as little as it can.
Record RecordOf(RecordType type, bool full) {
  Record record = Of(type);
  switch (type) {
    case RecordType::kBrokerStarted: record.detail = "tidewaiterd"; break;
    case RecordType::kBrokerStopped: break;
    case RecordType::kConfigLoaded: record.config_hash = kHash; break;
    case RecordType::kPolicyLoaded:
    case RecordType::kPolicyRefused:
      if (full) record = OfCaller(type, true);
      record.policy_hash = kHash;
      if (full && type == RecordType::kPolicyLoaded) record.shadow_policy_hash = kHash;
      if (full || type == RecordType::kPolicyRefused) record.detail = "SIGHUP";
      break;
    case RecordType::kRunDenied:
      record = OfRun(type, full);
      record.request_digest = kKeyed;
      record.violations = {Violation()};
      if (full) {
        record.shadow = Record::Shadow{.policy = "p",
                                       .policy_hash = kHash,
                                       .admitted = true,
                                       .violations = {},
                                       .differing_fields = {}};
        record.violations.assign(500, Violation());
      } else {
        record.requested_image = record.policy = "";
      }
      break;
    case RecordType::kRunAdmitted:
      record = OfRun(type, full);
      record.request_digest = kKeyed;
      record.image = "docker.io/library/busybox";
      record.limits = {1, 1, 1, 1, 1, 1, 1, 1, 1};
      record.effective = Effective(full);
      if (full) {
        record.tenant = Record::Tenant{.challenge = "c", .job = "j", .task = "t"};
        record.shadow = Record::Shadow{.policy = "",
                                       .policy_hash = kHash,
                                       .violations = {Violation()},
                                       .differing_fields = {}};
      }
      break;
    case RecordType::kRunInput:
    case RecordType::kRunOutput:
      record = OfRun(type, full);
      record.archive = Record::Archive{.name = "code", .sha256 = kHash, .error = ""};
      if (full) record.archive->omitted = 1;
      break;
    case RecordType::kRunStarted:
    case RecordType::kRunAdopted:
      record = OfRun(type, full);
      record.container_id = std::string(64, 'c');
      record.image_id = kHash;
      if (full) record.resolved_digest = "sha512:" + std::string(128, 'a');
      break;
    case RecordType::kRunFinished:
      record = OfRun(type, full);
      if (!full) {
        record = Of(type);
        record.run_id = kId;
      }
      record.outcome.emplace().kind = "EXITED";
      record.receipt.emplace();
      if (full) {
        record.outcome->reason = "NO_CAPACITY";
        record.outcome->duration_ms = 0;
        record.outcome->exit_code = -1;
        record.receipt->removals = {
            {.kind = "container", .id = "x", .confirmed_absent = true, .error = "gone"}};
        record.image_id = record.resolved_digest = kHash;
        record.container_id = std::string(64, 'c');
        record.dropped_output_bytes = 1;
        record.detail = "d";
      }
      break;
    case RecordType::kRunCancelled:
      record = OfCaller(type, full);
      record.run_id = kId;
      break;
    case RecordType::kTeardownOverdue:
    case RecordType::kTeardownSettled:
    case RecordType::kJournalSetAside:
      if (full) record.run_id = kId;
      if (full || type != RecordType::kTeardownSettled) record.detail = "d";
      break;
    case RecordType::kRunExpired: record.run_id = kId; break;
    case RecordType::kAuditTruncated:
    case RecordType::kAuditGap:
    case RecordType::kAuditRemoved:
      record.log.emplace().cause = "cause";
      if (full) record.log = Record::LogNote{"cause", 1, 1, 1, 1};
      break;
    case RecordType::kAuditKeyChanged:
      if (full) record = OfCaller(type, full);
      record.log.emplace().cause = "asked for";
      record.log->former_key = record.log->key = kPublicKey;
      break;
  }
  return record;
}

std::vector<RecordType> Types() {
  std::vector<RecordType> types;
  for (int i = 0; ToString(static_cast<RecordType>(i)) != "unknown"; ++i) {
    types.push_back(static_cast<RecordType>(i));
  }
  return types;
}

// One full record of each type.
std::vector<json> FullRecords() {
  std::vector<json> records;
  for (const RecordType type : Types())
    records.push_back(json::parse(LineOf(RecordOf(type, true))));
  return records;
}

// That the schema takes none of these.
void ExpectAllRefused(const std::vector<json>& records) {
  std::vector<std::string> lines;
  for (const json& record : records) lines.push_back(record.dump());
  std::set<std::size_t> refused;
  for (const std::string& fault : SchemaFaults(lines)) refused.insert(std::stoul(fault.substr(5)));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_TRUE(refused.contains(i + 1)) << lines[i].substr(0, 1000);
  }
}

TEST(RecordSchema, EveryRecordOfTheEncoderFits) {
  std::vector<std::string> lines;
  for (const RecordType type : Types()) {
    for (const bool full : {false, true}) lines.push_back(LineOf(RecordOf(type, full)));
  }
  Record refused = OfRun(RecordType::kRunInput, true);
  refused.archive = Record::Archive{.name = "code", .sha256 = "", .error = "ARCHIVE_REFUSED"};
  lines.push_back(LineOf(refused));
  Record differs = RecordOf(RecordType::kRunAdmitted, true);
  differs.shadow = Record::Shadow{.policy = "p",
                                  .policy_hash = kHash,
                                  .admitted = true,
                                  .violations = {},
                                  .differing_fields = {"limits.memoryBytes"}};
  lines.push_back(LineOf(differs));
  Record hostile = RecordOf(RecordType::kRunFinished, true);
  hostile.detail = std::string(10'000, '\x01') + "\xFF\"\\\n";
  hostile.receipt->removals.assign(10'000, hostile.receipt->removals.front());
  lines.push_back(LineOf(hostile));
  EXPECT_THAT(SchemaFaults(lines), IsEmpty());
}

TEST(RecordSchema, EveryExampleOfThePageFits) {
  std::vector<std::string> examples;
  for (std::string& line : ReadLines(testing::ProjectFile("docs/AUDIT.md"))) {
    if (line.starts_with('{')) examples.push_back(std::move(line));
  }
  EXPECT_GE(examples.size(), Types().size());
  EXPECT_THAT(SchemaFaults(examples), IsEmpty());
}

TEST(RecordSchema, AMemberThatNoRecordHasIsRefusedOnEveryLevel) {
  std::vector<json> wrong;
  for (const json& record : FullRecords()) {
    wrong.push_back(record);
    wrong.back()["other"] = "x";
    for (const auto& [name, value] : record.items()) {
      json planted = value;
      if (planted.is_array()) planted = planted.empty() ? planted : planted.front();
      if (!planted.is_object()) continue;
      planted["other"] = "x";
      wrong.push_back(record);
      wrong.back()[name] = value.is_array() ? json::array({planted}) : planted;
    }
  }
  json mount = FullRecords()[static_cast<std::size_t>(RecordType::kRunAdmitted)];
  mount["effective"]["env"][0]["value"] = "s3cr3t";
  wrong.push_back(mount);
  ExpectAllRefused(wrong);
}

TEST(RecordSchema, AMemberOfAnotherTypeIsRefused) {
  std::vector<json> wrong;
  for (const json& record : FullRecords()) {
    wrong.push_back(record);
    const bool denied = record["type"] == "run.denied";
    wrong.back()[denied ? "effective" : "violations"] = json::array();
  }
  ExpectAllRefused(wrong);
}

// The id is the Job's uid there, and nobody tells an image's.
TEST(RecordSchema, ARunThatStartsOnAClusterHasNoImageId) {
  json record = json::parse(LineOf(RecordOf(RecordType::kRunStarted, true)));
  record["container_id"] = "b2adcb85-958e-477f-9f80-3a7c72c06e63";
  record.erase("image_id");
  EXPECT_THAT(SchemaFaults({record.dump()}), IsEmpty());
}

TEST(RecordSchema, ARecordWithoutWhatItsTypeMustHaveIsRefused) {
  std::vector<json> wrong;
  for (const RecordType type : Types()) {
    const json least = json::parse(LineOf(RecordOf(type, false)));
    for (const auto& [name, value] : least.items()) {
      if (name == "boot_id") continue;
      const bool optional = (type == RecordType::kRunFinished || type == RecordType::kRunAdopted ||
                             type == RecordType::kRunOutput) &&
                            (name == "policy" || name == "policy_hash" ||
                             name == "requested_image" || name == "image_id");
      if (optional) continue;
      wrong.push_back(least);
      wrong.back().erase(name);
    }
  }
  ExpectAllRefused(wrong);
}

TEST(RecordSchema, AValueOfAnotherFormIsRefused) {
  const json admitted = FullRecords()[static_cast<std::size_t>(RecordType::kRunAdmitted)];
  std::vector<json> wrong;
  const auto with = [&](const std::string& pointer, const json& value) {
    wrong.push_back(admitted);
    wrong.back()[json::json_pointer(pointer)] = value;
  };
  with("/schema", 1);
  with("/index", -1);
  with("/index", "7");
  with("/index", 9007199254740992);
  with("/time", "2026-10-02T12:34:56Z");
  with("/time", "2026-13-02T12:34:56.000000789Z");
  with("/type", "run.Admitted");
  with("/run_id", "run");
  with("/run_id", std::string(25, 'a') + "1");
  with("/broker_id", std::string(27, 'a'));
  with("/boot_id", "x");
  with("/uid", 4294967296);
  with("/pid", -1);
  with("/pid_start", 1.5);
  with("/policy_hash", "sha256:" + std::string(64, 'A'));
  with("/policy_hash", kHash + "\n");
  with("/request_digest", kHash);
  with("/requested_image", "");
  with("/requested_image", std::string(4100, 'x'));
  with("/limits/pids", 0);
  with("/effective/network", "host");
  with("/effective/user", "root");
  with("/effective/command/0", "s3cr3t");
  with("/effective/env/0/value_hash", "s3cr3t");
  with("/effective/mounts/0/type", "device");
  with("/effective/mounts/0/size_bytes", 1);
  with("/effective/capabilities/0", "net_raw");
  with("/shadow/violations/0/rule", "Rule");
  with("/tenant", json::object());
  json anonymous = admitted;
  anonymous.erase("uid");
  wrong.push_back(anonymous);
  ExpectAllRefused(wrong);
}

}  // namespace
}  // namespace tidewaiter::audit
