#include "client/commands/verdict.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "client/commands/files.h"
#include "client/commands/invocation.h"
#include "client/commands/json_text.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"
#include "client/violation_text.h"
#include "wire/answers.h"
#include "wire/spec_json.h"

namespace tidewaiter::cli {
namespace {

v1::ExplainResponse NoSpec(const std::vector<policy::Violation>& faults) {
  v1::ExplainResponse verdict;
  for (const policy::Violation& fault : faults) *verdict.add_violations() = wire::ToProto(fault);
  return verdict;
}

// The faults of a text that is no specification, and what the judge has against the rest of it.
v1::ExplainResponse JudgeRest(const wire::SpecFaults& faults, Judge& judge) {
  v1::ExplainResponse verdict = NoSpec(faults.list);
  if (!faults.rest) return verdict;
  const Result<v1::ExplainResponse> of_the_rest = judge.Decide(*faults.rest);
  if (!of_the_rest) return verdict;
  for (const v1::Violation& violation : of_the_rest->violations()) {
    if (!faults.Explain(violation.field())) *verdict.add_violations() = violation;
  }
  return verdict;
}

std::string ToJsonLine(const std::string& path, const v1::ExplainResponse& verdict) {
  nlohmann::ordered_json line{{"spec", path}, {"admitted", verdict.admitted()}};
  line["violations"] = nlohmann::ordered_json::array();
  for (const v1::Violation& violation : verdict.violations()) {
    line["violations"].push_back({{"rule", violation.rule()},
                                  {"field", violation.field()},
                                  {"message", violation.message()},
                                  {"remedy", violation.remedy()}});
  }
  line["effective"] = verdict.has_effective() ? ToJson(verdict.effective()) : nullptr;
  line["enforcement"] = nlohmann::ordered_json::array();
  for (const v1::Enforcement& note : verdict.enforcement()) {
    line["enforcement"].push_back({{"field", note.field()},
                                   {"by", note.by()},
                                   {"value", note.value()},
                                   {"message", note.message()}});
  }
  if (!verdict.policy().empty()) line["policy"] = verdict.policy();
  if (!verdict.policy_hash().empty()) line["policyHash"] = verdict.policy_hash();
  return JsonLine(line);
}

// "  limits.pids: 200, by the kubelets' podPidsLimit (a pod has no process limit of its own)".
std::string ToText(const v1::Enforcement& note, const client::Terminal& terminal) {
  std::string text = note.by().empty() ? terminal.Paint(client::Style::kYellow, "not enforced")
                                       : "by " + client::TerminalSafe(note.by());
  if (!note.value().empty()) text = client::TerminalSafe(note.value()) + ", " + text;
  return "  " + client::TerminalSafe(note.field()) + ": " + text + " (" +
         client::TerminalSafe(note.message()) + ")\n";
}

std::string ToText(const std::string& path, const v1::ExplainResponse& verdict) {
  const client::Terminal terminal = client::Terminal::Of(STDOUT_FILENO);
  std::string out = terminal.Paint(client::Style::kBold, client::TerminalSafe(path)) + ": ";
  if (verdict.admitted()) {
    out += terminal.Paint(client::Style::kGreen, "admitted") + " by policy '" +
           client::TerminalSafe(verdict.policy()) + "'\n  " +
           client::TerminalSafe(verdict.effective().image()) + '\n';
    for (const v1::Enforcement& note : verdict.enforcement()) out += ToText(note, terminal);
    return out;
  }
  if (verdict.policy().empty()) {
    return out + terminal.Paint(client::Style::kRed, "no run specification") + '\n' +
           client::ViolationsText(verdict.violations(), terminal);
  }
  v1::Denied denied;
  *denied.mutable_violations() = verdict.violations();
  denied.set_policy(verdict.policy());
  return out + client::DenialText(denied, terminal);
}

// Empty: the file cannot be read, which has been said. An error: no spec can be judged.
std::optional<Result<v1::ExplainResponse>> JudgeFile(const std::string& path, Judge& judge) {
  const auto content = ReadFile(path, kSpecBytes);
  if (!content && content.error().code == ErrorCode::kResourceExhausted) {
    return NoSpec({{"spec.too-large", "", content.error().message, "a smaller specification"}});
  }
  if (!content) {
    Complain(content.error().message);
    return std::nullopt;
  }
  const auto spec = wire::ParseSpecJson(*content);
  if (!spec) return JudgeRest(spec.error(), judge);
  Result<v1::ExplainResponse> verdict = judge.Decide(*spec);
  // What the judge's version does not know is this spec's own fault: the next ones have a verdict.
  if (!verdict && verdict.error().code == ErrorCode::kInvalidArgument) {
    return NoSpec({{"spec.unknown-field", "", verdict.error().message,
                    "the fields and values that this version knows"}});
  }
  return verdict;
}

}  // namespace

int JudgeFiles(const std::vector<std::string>& paths, Judge& judge, bool json) {
  int status = client::kExitYes;
  for (const std::string& path : paths) {
    const auto verdict = JudgeFile(path, judge);
    if (!verdict) {
      status = client::kExitUsage;
      continue;
    }
    if (!*verdict) return Complain(verdict->error(), client::kExitNo);
    if (!(*verdict)->admitted()) status = std::max(status, client::kExitNo);
    const int printed = json ? PrintLine(ToJsonLine(path, **verdict), status)
                             : Print(ToText(path, **verdict), status);
    if (printed != status) return printed;
  }
  return status;
}

}  // namespace tidewaiter::cli
