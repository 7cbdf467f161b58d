#include "broker/journal/entry_format.h"

#include <openssl/sha.h>

#include <optional>
#include <utility>

#include "base/printable.h"
#include "run_entry.pb.h"

namespace tidewaiter::journal {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr int kMaxResources = 1024;

std::string Sha256(const std::string& bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  // OpenSSL speaks unsigned char.
  ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
           reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

Error Unreadable(std::string cause) {
  return Fail(ErrorCode::kFailedPrecondition, std::move(cause), "JOURNAL_UNREADABLE");
}

Resource::Kind ToProto(run::Resource::Kind kind) {
  switch (kind) {
    case run::Resource::Kind::kNetwork: return Resource::KIND_NETWORK;
    case run::Resource::Kind::kContainer: return Resource::KIND_CONTAINER;
  }
  return Resource::KIND_UNSPECIFIED;
}

std::optional<run::Resource::Kind> FromProto(Resource::Kind kind) {
  if (kind == Resource::KIND_NETWORK) return run::Resource::Kind::kNetwork;
  if (kind == Resource::KIND_CONTAINER) return run::Resource::Kind::kContainer;
  return std::nullopt;
}

bool AllUtf8(const run::JournalEntry& entry) {
  for (const std::string* text :
       {&entry.run_id.value(), &entry.broker_id.value(), &entry.backend, &entry.caller.principal,
        &entry.image, &entry.policy_name, &entry.policy_hash, &entry.log_mark,
        &entry.requested_image, &entry.resolved.digest, &entry.resolved.image_id}) {
    if (!IsUtf8(*text)) return false;
  }
  for (const run::Resource& resource : entry.resources) {
    if (!IsUtf8(resource.name) || !IsUtf8(resource.id)) return false;
  }
  return true;
}

}  // namespace

Result<std::string> FormatEntry(const run::JournalEntry& entry) {
  if (!AllUtf8(entry)) {
    return Fail(ErrorCode::kInvalidArgument,
                "write journal of run " + Quoted(entry.run_id.value()) + ": text is not UTF-8");
  }
  RunEntry message;
  message.set_run_id(entry.run_id.value());
  message.set_broker_id(entry.broker_id.value());
  message.set_backend(entry.backend);
  message.mutable_caller()->set_uid(entry.caller.uid);
  message.mutable_caller()->set_gid(entry.caller.gid);
  message.mutable_caller()->set_pid(entry.caller.pid);
  message.mutable_caller()->set_principal(entry.caller.principal);
  message.set_image(entry.image);
  message.set_policy_name(entry.policy_name);
  message.set_policy_hash(entry.policy_hash);
  for (const run::Resource& resource : entry.resources) {
    Resource* added = message.add_resources();
    added->set_kind(ToProto(resource.kind));
    added->set_name(resource.name);
    added->set_id(resource.id);
  }
  message.set_finished_recorded(entry.finished_recorded);
  message.set_log_mark(entry.log_mark);
  message.set_requested_image(entry.requested_image);
  message.set_resolved_digest(entry.resolved.digest);
  message.set_image_id(entry.resolved.image_id);

  RunEntryFile file;
  file.set_version(kVersion);
  file.set_entry(message.SerializeAsString());
  file.set_sha256(Sha256(file.entry()));
  std::string bytes = file.SerializeAsString();
  if (bytes.size() > kMaxEntryBytes || message.resources_size() > kMaxResources) {
    return Fail(ErrorCode::kInvalidArgument,
                "write journal of run " + Quoted(entry.run_id.value()) + ": too large");
  }
  return bytes;
}

Result<run::JournalEntry> ParseEntry(std::string_view bytes) {
  if (bytes.size() > kMaxEntryBytes) return Unreadable("too large");
  RunEntryFile file;
  if (!file.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Unreadable("torn or no journal file");
  }
  // The version first: another one may have its checksum elsewhere.
  if (file.version() > kVersion) {
    return Unreadable("format version " + std::to_string(file.version()) +
                      ", this broker reads version " + std::to_string(kVersion));
  }
  if (file.version() != kVersion || file.sha256() != Sha256(file.entry())) {
    return Unreadable("torn: its checksum does not match");
  }
  RunEntry message;
  if (!message.ParseFromString(file.entry())) return Unreadable("no journal entry");
  if (message.resources_size() > kMaxResources) return Unreadable("too many resources");

  run::JournalEntry entry;
  entry.run_id = RunId(message.run_id());
  entry.broker_id = BrokerId(message.broker_id());
  entry.backend = message.backend();
  entry.caller = {.uid = message.caller().uid(),
                  .gid = message.caller().gid(),
                  .pid = message.caller().pid(),
                  .principal = message.caller().principal()};
  entry.image = message.image();
  entry.policy_name = message.policy_name();
  entry.policy_hash = message.policy_hash();
  for (const Resource& resource : message.resources()) {
    const std::optional<run::Resource::Kind> kind = FromProto(resource.kind());
    if (!kind) return Unreadable("a resource of an unknown kind");
    entry.resources.push_back({.kind = *kind, .name = resource.name(), .id = resource.id()});
  }
  entry.finished_recorded = message.finished_recorded();
  entry.log_mark = message.log_mark();
  entry.requested_image = message.requested_image();
  entry.resolved = {.digest = message.resolved_digest(), .image_id = message.image_id()};
  return entry;
}

}  // namespace tidewaiter::journal
