// The broker's AuditSink: turns what the core tells into records of the audit log.
//
// Thread: any. What never gets into a record, whatever the event holds: values of the environment
// and arguments, of which it has hashes under a key that stays here; values of labels; and an
// outcome's message, since engines quote the command in theirs (the record has the outcome's kind
// and reason instead).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "audit/hash_key.h"
#include "audit/log.h"
#include "audit/record.h"
#include "broker/run/audit_sink.h"

namespace tidewaiter::daemon {

audit::Record::Caller ToRecordCaller(const run::Caller& caller);

// The record of an event.
audit::Record ToRecord(const run::AuditEvent& event, const audit::HashKey& key);

class AuditWriter final : public run::AuditSink {
 public:
  // `log` is borrowed.
  AuditWriter(audit::Log& log, audit::HashKey key) : log_(log), key_(std::move(key)) {}

  using run::AuditSink::AppendEventually;
  Result<void> Append(const run::AuditEvent& event, Deadline deadline) override;
  void AppendEventually(const run::AuditEvent& event, std::function<void()> on_durable) override;
  [[nodiscard]] std::string Mark() override { return log_.Mark(); }
  Result<std::map<RunId, Standing>> Recall(const std::map<RunId, std::string>& runs) override;

 private:
  audit::Log& log_;
  const audit::HashKey key_;
};

}  // namespace tidewaiter::daemon
