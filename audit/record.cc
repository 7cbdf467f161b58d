#include "audit/record.h"

#include <cstdlib>
#include <utility>

#include "audit/canonical_json.h"
#include "audit/record_header.h"

namespace tidewaiter::audit {
namespace {

// Once a record's lists have taken this much, their further elements are only counted (`omitted`).
// With at most 40 single texts of kMaxTextBytes, and one element over it, a line stays far below
// kMaxLineBytes.
constexpr std::size_t kListBudgetBytes = std::size_t{512} << 10U;
// A denial costs its caller nothing, so it may not cost the disk much.
constexpr std::size_t kDeniedListBudgetBytes = std::size_t{16} << 10U;

class ListBudget {
 public:
  explicit ListBudget(std::size_t bytes) : bytes_(bytes) {}

  template <typename List, typename Encode>
  std::string Array(const List& list, Encode encode) {
    std::string out = "[";
    for (const auto& element : list) {
      if (used_ >= bytes_) {
        ++omitted_;
        continue;
      }
      const std::string json = encode(element);
      used_ += json.size() + 1;
      if (out.size() > 1) out += ',';
      out += json;
    }
    out += ']';
    return out;
  }

  std::string Texts(const std::vector<std::string>& texts) {
    return Array(texts, [](const std::string& text) { return JsonString(text); });
  }

  [[nodiscard]] std::int64_t omitted() const noexcept { return omitted_; }

 private:
  const std::size_t bytes_;
  std::size_t used_ = 0;
  std::int64_t omitted_ = 0;
};

std::string Encode(const Record::Violation& violation) {
  JsonObject json;
  json.Text("field", violation.field);
  json.Text("message", violation.message);
  json.Text("remedy", violation.remedy);
  json.Text("rule", violation.rule);
  return std::move(json).Finish();
}

std::string EncodeAll(const std::vector<Record::Violation>& violations, ListBudget& budget) {
  return budget.Array(violations, [](const auto& each) { return Encode(each); });
}

// What was only tried has a budget of its own, and says itself what it leaves out.
std::string Encode(const Record::Shadow& shadow) {
  ListBudget budget(kDeniedListBudgetBytes);
  JsonObject json;
  json.Flag("admitted", shadow.admitted);
  if (!shadow.differing_fields.empty()) {
    json.Json("differing_fields", budget.Texts(shadow.differing_fields));
  }
  json.TextIfAny("policy", shadow.policy);
  json.Text("policy_hash", shadow.policy_hash);
  if (!shadow.violations.empty()) json.Json("violations", EncodeAll(shadow.violations, budget));
  if (budget.omitted() > 0) json.Integer("omitted", budget.omitted());
  return std::move(json).Finish();
}

std::string Encode(const Record::Limits& limits) {
  JsonObject json;
  json.Integer("cpu_millis", limits.cpu_millis);
  json.Integer("input_bytes", limits.input_bytes);
  json.Integer("log_bytes", limits.log_bytes);
  json.Integer("memory_bytes", limits.memory_bytes);
  json.Integer("open_files", limits.open_files);
  json.Integer("output_bytes", limits.output_bytes);
  json.Integer("pids", limits.pids);
  json.Integer("timeout_ms", limits.timeout_ms);
  json.Integer("tmpfs_bytes", limits.tmpfs_bytes);
  return std::move(json).Finish();
}

std::string Encode(const Record::Mount& mount) {
  JsonObject json;
  json.Flag("read_only", mount.read_only);
  if (mount.size_bytes) json.Integer("size_bytes", *mount.size_bytes);
  json.TextIfAny("source", mount.source);
  json.Text("target", mount.target);
  json.Text("type", mount.type);
  return std::move(json).Finish();
}

std::string Encode(const Record::Variable& variable) {
  JsonObject json;
  json.Text("name", variable.name);
  json.Text("value_hash", variable.value_hash);
  return std::move(json).Finish();
}

std::string Encode(const Record::Effective& effective, ListBudget& budget) {
  JsonObject json;
  json.TextIfAny("backend", effective.backend);
  json.Json("capabilities", budget.Texts(effective.capabilities));
  json.Json("mounts", budget.Array(effective.mounts, [](const auto& m) { return Encode(m); }));
  json.Json("env", budget.Array(effective.env, [](const auto& v) { return Encode(v); }));
  json.Json("command", budget.Texts(effective.command));
  json.Json("label_names", budget.Texts(effective.label_names));
  json.Text("network", effective.network);
  json.Flag("read_only_rootfs", effective.read_only_rootfs);
  json.TextIfAny("runtime", effective.runtime);
  json.TextIfAny("seccomp_profile", effective.seccomp_profile);
  json.Text("user", effective.user);
  json.Flag("verify_tag", effective.verify_tag);
  json.TextIfAny("working_dir", effective.working_dir);
  return std::move(json).Finish();
}

std::string Encode(const Record::Tenant& tenant) {
  JsonObject json;
  json.TextIfAny("challenge", tenant.challenge);
  json.TextIfAny("job", tenant.job);
  json.TextIfAny("task", tenant.task);
  return std::move(json).Finish();
}

std::string Encode(const Record::Archive& archive) {
  JsonObject json;
  json.Text("name", archive.name);
  if (!archive.error.empty()) {
    json.Text("error", archive.error);
    return std::move(json).Finish();
  }
  json.Integer("archive_bytes", static_cast<std::int64_t>(archive.archive_bytes));
  json.Integer("bytes", static_cast<std::int64_t>(archive.bytes));
  json.Integer("entries", static_cast<std::int64_t>(archive.entries));
  if (archive.omitted != 0) json.Integer("omitted", static_cast<std::int64_t>(archive.omitted));
  json.Text("sha256", archive.sha256);
  return std::move(json).Finish();
}

std::string Encode(const Record::Outcome& outcome) {
  JsonObject json;
  if (outcome.duration_ms) json.Integer("duration_ms", *outcome.duration_ms);
  json.Integer("exit_code", outcome.exit_code);
  json.Text("kind", outcome.kind);
  json.Flag("oom_killed", outcome.oom_killed);
  json.TextIfAny("reason", outcome.reason);
  return std::move(json).Finish();
}

std::string Encode(const Record::Removal& removal) {
  JsonObject json;
  json.Flag("confirmed_absent", removal.confirmed_absent);
  json.TextIfAny("error", removal.error);
  json.TextIfAny("id", removal.id);
  json.Text("kind", removal.kind);
  return std::move(json).Finish();
}

std::string Encode(const Record::Receipt& receipt, ListBudget& budget) {
  JsonObject json;
  json.Flag("complete", receipt.complete);
  json.Json("removals", budget.Array(receipt.removals, [](const auto& r) { return Encode(r); }));
  return std::move(json).Finish();
}

std::string Encode(const Record::LogNote& note) {
  JsonObject json;
  json.TextIfAny("cause", note.cause);
  if (note.cut_bytes != 0) json.Integer("cut_bytes", note.cut_bytes);
  json.TextIfAny(kFormerKeyName, note.former_key);
  json.TextIfAny(kNextKeyName, note.key);
  if (note.lost_records != 0) json.Integer("lost_records", note.lost_records);
  if (note.refused_records != 0) json.Integer("refused_records", note.refused_records);
  if (note.removed_to != 0) json.Integer(kRemovedToName, note.removed_to);
  return std::move(json).Finish();
}

void AddParts(JsonObject& json, const Record& record) {
  ListBudget budget(record.type == RecordType::kRunDenied ? kDeniedListBudgetBytes
                                                          : kListBudgetBytes);
  if (!record.violations.empty()) {
    json.Json("violations", EncodeAll(record.violations, budget));
  }
  if (record.limits) json.Json("limits", Encode(*record.limits));
  if (record.receipt) json.Json("receipt", Encode(*record.receipt, budget));
  if (record.effective) json.Json("effective", Encode(*record.effective, budget));
  if (record.tenant) json.Json("tenant", Encode(*record.tenant));
  if (record.archive) json.Json("archive", Encode(*record.archive));
  if (record.outcome) json.Json("outcome", Encode(*record.outcome));
  if (record.log) json.Json("log", Encode(*record.log));
  if (record.shadow) json.Json("shadow", Encode(*record.shadow));
  if (budget.omitted() > 0) json.Integer("omitted", budget.omitted());
}

}  // namespace

std::string_view ToString(RecordType type) noexcept {
  switch (type) {
    case RecordType::kBrokerStarted: return "broker.started";
    case RecordType::kBrokerStopped: return "broker.stopped";
    case RecordType::kConfigLoaded: return "config.loaded";
    case RecordType::kPolicyLoaded: return "policy.loaded";
    case RecordType::kPolicyRefused: return "policy.refused";
    case RecordType::kRunDenied: return "run.denied";
    case RecordType::kRunAdmitted: return "run.admitted";
    case RecordType::kRunInput: return "run.input";
    case RecordType::kRunOutput: return "run.output";
    case RecordType::kRunStarted: return "run.started";
    case RecordType::kRunAdopted: return "run.adopted";
    case RecordType::kRunFinished: return "run.finished";
    case RecordType::kRunCancelled: return "run.cancelled";
    case RecordType::kTeardownOverdue: return "teardown.overdue";
    case RecordType::kTeardownSettled: return "teardown.settled";
    case RecordType::kRunExpired: return "run.expired";
    case RecordType::kJournalSetAside: return "journal.set_aside";
    case RecordType::kAuditTruncated: return "audit.truncated";
    case RecordType::kAuditGap: return "audit.gap";
    case RecordType::kAuditRemoved: return kAuditRemovedName;
    case RecordType::kAuditKeyChanged: return kAuditKeyChangedName;
  }
  return "unknown";
}

EncodedRecord::EncodedRecord(const Record& record, std::string_view boot_id,
                             std::string_view broker_id)
    : type_(record.type), run_id_(record.run_id) {
  JsonObject json;
  json.TextIfAny("boot_id", boot_id);
  json.Text("broker_id", broker_id);
  json.Integer("index", 0);
  json.Integer("schema", kSchemaVersion);
  json.Text("time", FormatTimestamp(Timestamp()));
  json.Text("type", ToString(record.type));
  json.TextIfAny("run_id", record.run_id);
  if (record.caller) {
    json.Text("principal", record.caller->principal);
    json.Integer("uid", record.caller->uid);
    json.Integer("gid", record.caller->gid);
    json.Integer("pid", record.caller->pid);
    if (record.caller->pid_start) json.Integer("pid_start", *record.caller->pid_start);
    json.TextIfAny("executable", record.caller->executable);
  }
  json.TextIfAny("request_digest", record.request_digest);
  json.TextIfAny("requested_image", record.requested_image);
  json.TextIfAny("image", record.image);
  json.TextIfAny("resolved_digest", record.resolved_digest);
  json.TextIfAny("image_id", record.image_id);
  json.TextIfAny("container_id", record.container_id);
  json.TextIfAny("policy", record.policy);
  json.TextIfAny("policy_hash", record.policy_hash);
  json.TextIfAny("shadow_policy_hash", record.shadow_policy_hash);
  json.TextIfAny("config_hash", record.config_hash);
  json.TextIfAny("detail", record.detail);
  if (record.dropped_output_bytes != 0) {
    json.Integer("dropped_output_bytes", record.dropped_output_bytes);
  }
  AddParts(json, record);
  text_ = std::move(json).Finish();

  const std::optional<RecordHeader> header = ReadHeader(text_);
  if (!header) std::abort();  // the encoder and the reader in this folder disagree
  index_at_ = static_cast<std::size_t>(header->index_text.data() - text_.data());
  time_at_ = static_cast<std::size_t>(header->time.data() - text_.data());
}

void EncodedRecord::SetTime(Timestamp when) {
  text_.replace(time_at_, kTimestampBytes, FormatTimestamp(when));
}

void EncodedRecord::AppendTo(std::string& out, std::uint64_t index) const {
  out.append(text_, 0, index_at_);
  out += std::to_string(index);
  out.append(text_, index_at_ + 1);
  out += '\n';
}

}  // namespace tidewaiter::audit
