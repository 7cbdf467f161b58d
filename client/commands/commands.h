// Every command of the program, each in the file of its name. `invocation` must outlive the parsing
// and the action.
#pragma once

#include <CLI/App.hpp>

#include "client/commands/invocation.h"

namespace tidewaiter::cli {

void AddRun(CLI::App& app, Invocation& invocation);
void AddExplain(CLI::App& app, Invocation& invocation);
void AddPs(CLI::App& app, Invocation& invocation);
void AddCancel(CLI::App& app, Invocation& invocation);
void AddLogs(CLI::App& app, Invocation& invocation);
void AddWait(CLI::App& app, Invocation& invocation);
void AddFetch(CLI::App& app, Invocation& invocation);
// `policy`, with its own commands `check` and `reload`.
void AddPolicy(CLI::App& app, Invocation& invocation);
void AddPolicyReload(CLI::App& policy, Invocation& invocation);
void AddImageParse(CLI::App& app, Invocation& invocation);
// `audit`, with its own commands.
void AddAudit(CLI::App& app, Invocation& invocation);
void AddAuditQuery(CLI::App& audit, Invocation& invocation);
void AddAuditTail(CLI::App& audit, Invocation& invocation);
void AddAuditStats(CLI::App& audit, Invocation& invocation);
void AddAuditReport(CLI::App& audit, Invocation& invocation);
void AddAuditVerify(CLI::App& audit, Invocation& invocation);
void AddAuditProve(CLI::App& audit, Invocation& invocation);
void AddAuditCheckProof(CLI::App& audit, Invocation& invocation);
void AddAuditConsistency(CLI::App& audit, Invocation& invocation);
void AddAuditKey(CLI::App& audit, Invocation& invocation);
void AddAuditRotateKey(CLI::App& audit, Invocation& invocation);
void AddAuditHash(CLI::App& audit, Invocation& invocation);
void AddExtract(CLI::App& app, Invocation& invocation);
void AddDoctor(CLI::App& app, Invocation& invocation);
void AddVersion(CLI::App& app, Invocation& invocation);

}  // namespace tidewaiter::cli
