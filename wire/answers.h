// What the broker says, from the domain's form into the wire's. Pure; any thread.
//
// protobuf refuses to carry text that is not UTF-8; text of strangers is made printable before it
// gets here, except what a proto field declares as bytes.
#pragma once

#include <chrono>
#include <vector>

#include "broker/run/decide.h"
#include "broker/run/outcome.h"
#include "broker/run/run_registry.h"
#include "policy/admitted_run.h"
#include "policy/enforcement.h"
#include "policy/policy.h"
#include "policy/violation.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::wire {

v1::Violation ToProto(const policy::Violation& violation);
v1::RunResult ToProto(const run::Outcome& outcome);
v1::Receipt ToProto(const run::Receipt& receipt);
// Without `error`.
v1::OutputEnd ToProto(const run::OutputSummary& summary);
v1::RunInfo ToProto(const run::RunInfo& info);

// The decision of `policy`: admitted with the effective run, or every violation.
v1::ExplainResponse ToExplainResponse(const policy::Decision& decision,
                                      const policy::Policy& policy);

// The same of the whole decision that a run would get, with its backend's notes.
v1::ExplainResponse ToExplainResponse(const run::Verdict& verdict);

void AddEnforcement(const std::vector<policy::Enforcement>& notes, v1::ExplainResponse& response);

// Both directions of a violation: the command line prints what the broker sent.
policy::Violation FromProto(const v1::Violation& violation);

google::protobuf::Timestamp ToTimestamp(std::chrono::system_clock::time_point time);

}  // namespace tidewaiter::wire
