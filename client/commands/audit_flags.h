// Which records, from where and in which form: the options that the commands over the audit log's
// records share. Pure but for the clock, which times such as "24h" are counted from.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "audit/filter.h"
#include "base/result.h"
#include "client/commands/invocation.h"
#include "client/commands/record_printer.h"

namespace tidewaiter::cli {

// As they were given; empty: not given.
struct AuditFlags {
  bool json = false;
  std::string format;
  std::string directory;  // of --dir: no broker is asked
  std::string run_id, principal, type, tenant, image, outcome, rule, shadow_rule;
  std::string since, until;
};

// --since and --until.
void AddTimeFlags(CLI::App& command, AuditFlags& flags);
// All of them.
void AddAuditFlags(CLI::App& command, Invocation& invocation, AuditFlags& flags);

// Errors: INVALID_ARGUMENT for a time that is none.
Result<audit::Filter> FilterOf(const AuditFlags& flags);
// The form that was asked for; else a table at a terminal, and the exact lines anywhere else.
// Errors: INVALID_ARGUMENT for one that does not exist, or two of them.
Result<RecordFormat> FormatOf(const AuditFlags& flags, bool at_terminal);

// "2025-01-31T12:00:00Z", "2025-01-31" (its beginning, UTC), or a duration before now: "90m".
Result<audit::Timestamp> ParseTime(const std::string& text, std::string_view flag);

}  // namespace tidewaiter::cli
