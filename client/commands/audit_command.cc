#include "client/commands/commands.h"

namespace tidewaiter::cli {

void AddAudit(CLI::App& app, Invocation& invocation) {
  CLI::App& audit =
      AddCommand(app, {.name = "audit",
                       .summary = "The audit log",
                       .arguments = "",
                       .details = "Example: tidewaiter audit verify /var/log/tidewaiter"});
  audit.require_subcommand(1);
  AddAuditQuery(audit, invocation);
  AddAuditTail(audit, invocation);
  AddAuditStats(audit, invocation);
  AddAuditReport(audit, invocation);
  AddAuditVerify(audit, invocation);
  AddAuditProve(audit, invocation);
  AddAuditCheckProof(audit, invocation);
  AddAuditConsistency(audit, invocation);
  AddAuditKey(audit, invocation);
  AddAuditRotateKey(audit, invocation);
  AddAuditHash(audit, invocation);
}

}  // namespace tidewaiter::cli
