#include "broker/daemon/key_change.h"

#include <fmt/format.h>

#include <utility>

#include "audit/signing_key_file.h"
#include "broker/daemon/audit_writer.h"

namespace tidewaiter::daemon {

Result<KeyChange::Done> KeyChange::Run(const std::optional<run::Caller>& by) {
  const std::lock_guard lock(one_at_a_time_);
  auto done = HandOver(by);
  if (done) {
    parts_.log->Write(LogLevel::kInfo,
                      fmt::format("the audit log is signed by a new key from record {} on: {}",
                                  done->record + 1, done->key));
  } else {
    parts_.log->Write(LogLevel::kWarning, "change the audit log's key: " + done.error().message);
  }
  return done;
}

Result<KeyChange::KeyPtr> KeyChange::Successor(const audit::VerifierKey& former) {
  // One may have come to its end after its caller had given up.
  if (KeyPtr begun = *begun_.Lock(); begun && begun->verifier() != former) return begun;
  TW_ASSIGN(KeyPtr made, audit::LoadOrCreateSuccessor(parts_.state_dir, parts_.broker_id));
  *begun_.Lock() = made;
  return made;
}

Result<KeyChange::Done> KeyChange::HandOver(const std::optional<run::Caller>& by) {
  const audit::VerifierKey former = parts_.audit_log->PublicKey();
  TW_ASSIGN(const KeyPtr successor, Successor(former));
  audit::Record record;
  record.type = audit::RecordType::kAuditKeyChanged;
  if (by) record.caller = ToRecordCaller(*by);
  record.log.emplace().cause = by ? "asked for" : "begun before the start";
  record.log->former_key = former.ToString();
  record.log->key = successor->verifier().ToString();
  TW_ASSIGN(const std::uint64_t index, parts_.audit_log->HandOver(
                                           record, successor,
                                           [state_dir = parts_.state_dir, successor] {
                                             return audit::PromoteSuccessor(state_dir, *successor);
                                           },
                                           Deadline::After(parts_.patience)));
  begun_.Lock()->reset();
  return Done{.former = record.log->former_key, .key = record.log->key, .record = index};
}

void KeyChange::Resume() {
  if (Pending()) static_cast<void>(Run(std::nullopt));
}

bool KeyChange::Pending() {
  const KeyPtr begun = *begun_.Lock();
  return begun != nullptr && begun->verifier() != parts_.audit_log->PublicKey();
}

}  // namespace tidewaiter::daemon
