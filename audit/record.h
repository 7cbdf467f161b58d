// One record of the log: what happened, as plain data. Its line is documented in docs/AUDIT.md.
// There is no place for a label's value or a message of the engine (which quotes arguments), and of
// a value of the environment or an argument for its keyed hash alone (audit/hash_key.h), so that
// none can be written by mistake.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/timestamp.h"

namespace tidewaiter::audit {

// The most bytes of a line, its line feed included. Encode() stays below it whatever goes in.
inline constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20U;

// Version of the lines' schema, member `schema` of each.
inline constexpr int kSchemaVersion = 2;

enum class RecordType {
  kBrokerStarted,
  kBrokerStopped,
  kConfigLoaded,
  kPolicyLoaded,
  kPolicyRefused,
  kRunDenied,
  kRunAdmitted,
  kRunInput,
  kRunOutput,
  kRunStarted,
  kRunAdopted,
  kRunFinished,
  kRunCancelled,
  kTeardownOverdue,
  kTeardownSettled,
  kRunExpired,
  kJournalSetAside,
  kAuditTruncated,  // what follows are the log's own
  kAuditGap,
  kAuditRemoved,
  kAuditKeyChanged,
};

// "run.admitted" and so on.
std::string_view ToString(RecordType type) noexcept;

// The type and the member by which a log says that it begins later than it did.
inline constexpr std::string_view kAuditRemovedName = "audit.removed";
inline constexpr std::string_view kRemovedToName = "removed_to";
// The type and the members by which a log hands itself over to another key.
inline constexpr std::string_view kAuditKeyChangedName = "audit.key_changed";
inline constexpr std::string_view kFormerKeyName = "former_key";
inline constexpr std::string_view kNextKeyName = "key";

// What a record is made of. Complete before Record is: clang 14 cannot construct an optional of a
// nested type whose members have initialisers within the type that nests it.
struct RecordParts {
  struct Caller {
    std::string principal;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int64_t pid = 0;
    std::optional<std::int64_t> pid_start{};
    std::string executable{};
  };
  struct Violation {
    std::string rule;
    std::string field;
    std::string message;
    std::string remedy;
  };
  struct Limits {
    std::int64_t memory_bytes = 0;
    std::int64_t cpu_millis = 0;
    std::int64_t pids = 0;
    std::int64_t timeout_ms = 0;
    std::int64_t tmpfs_bytes = 0;
    std::int64_t log_bytes = 0;
    std::int64_t open_files = 0;
    std::int64_t input_bytes = 0;
    std::int64_t output_bytes = 0;
  };
  struct Mount {
    std::string target;
    std::string type;    // "bind", "tmpfs", "input", "output", "volume"
    std::string source;  // path of a bind, name of an input, output or volume
    bool read_only = false;
    std::optional<std::int64_t> size_bytes;  // of a tmpfs
  };
  struct Variable {
    std::string name;
    std::string value_hash;  // "hmac-sha256:HEX"
  };
  struct Effective {
    std::string backend;
    std::vector<std::string> capabilities;
    std::vector<std::string> command;  // "hmac-sha256:HEX" of each argument
    std::vector<Variable> env;
    std::vector<std::string> label_names;
    std::vector<Mount> mounts;
    std::string network;
    bool read_only_rootfs = true;
    std::string runtime;
    std::string seccomp_profile;
    std::string user;  // "65534:65534"
    bool verify_tag = true;
    std::string working_dir;
  };
  struct Tenant {
    std::string challenge;
    std::string job;
    std::string task;
  };
  struct Shadow {
    std::string policy;
    std::string policy_hash;
    bool admitted = false;
    std::vector<Violation> violations;
    std::vector<std::string> differing_fields;
  };
  struct Archive {
    std::string name;
    std::string sha256;  // "sha256:HEX" of its bytes
    std::uint64_t archive_bytes = 0;
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    std::uint64_t omitted = 0;
    std::string error;  // set: it was refused or broke off, and the rest but the name is unknown
  };
  struct Outcome {
    std::string kind;    // "EXITED"
    std::string reason;  // stable word where the kind is FAILED
    std::int64_t exit_code = 0;
    bool oom_killed = false;
    std::optional<std::int64_t> duration_ms;
  };
  struct Removal {
    std::string kind;
    std::string id;
    bool confirmed_absent = false;
    std::string error;
  };
  struct Receipt {
    bool complete = false;
    std::vector<Removal> removals;
  };
  // Of the log's own records.
  struct LogNote {
    std::string cause;
    std::int64_t cut_bytes = 0;
    std::int64_t lost_records = 0;
    std::int64_t refused_records = 0;
    std::int64_t removed_to = 0;
    std::string former_key{};  // VerifierKey::ToString
    std::string key{};
  };
};

struct Record : RecordParts {
  RecordType type = RecordType::kBrokerStarted;
  std::string run_id;
  std::optional<Caller> caller;
  std::string request_digest;  // "hmac-sha256:HEX" of the SHA-256 of the request
  std::string requested_image;
  std::string image;  // canonical
  std::string resolved_digest;
  std::string image_id;
  std::string container_id;
  std::string policy;
  std::string policy_hash;
  std::string shadow_policy_hash;
  std::string config_hash;
  std::vector<Violation> violations;
  std::optional<Shadow> shadow;
  std::optional<Limits> limits;
  std::optional<Effective> effective;
  std::optional<Tenant> tenant;
  std::optional<Archive> archive;
  std::optional<Outcome> outcome;
  std::optional<Receipt> receipt;
  std::int64_t dropped_output_bytes = 0;
  std::string detail;
  std::optional<LogNote> log;
};

// A line that lacks only what the log gives it: made on the caller's thread, finished by the
// writer's.
class EncodedRecord {
 public:
  EncodedRecord(const Record& record, std::string_view boot_id, std::string_view broker_id);

  void SetTime(Timestamp when);
  // Appends the line, with its line feed, to `out`.
  void AppendTo(std::string& out, std::uint64_t index) const;

  [[nodiscard]] RecordType type() const noexcept { return type_; }
  [[nodiscard]] const std::string& run_id() const noexcept { return run_id_; }
  // Bytes that the line takes at most.
  [[nodiscard]] std::size_t size() const noexcept { return text_.size() + 20; }

 private:
  RecordType type_;
  std::string run_id_;
  std::string text_;          // with the index "0"
  std::size_t index_at_ = 0;  // of that digit
  std::size_t time_at_ = 0;
};

}  // namespace tidewaiter::audit
