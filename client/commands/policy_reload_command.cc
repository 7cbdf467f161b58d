#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/commands/call.h"
#include "client/commands/commands.h"
#include "client/commands/json_text.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

std::string ToJsonLine(const v1::ReloadPolicyResponse& answer) {
  nlohmann::ordered_json line{{"reloaded", answer.reloaded()},
                              {"problems", nlohmann::ordered_json::array()},
                              {"policyHash", answer.policy_hash()},
                              {"previousPolicyHash", answer.previous_policy_hash()}};
  for (const std::string& problem : answer.problems()) line["problems"].push_back(problem);
  if (!answer.shadow_policy_hash().empty()) line["shadowPolicyHash"] = answer.shadow_policy_hash();
  line["development"] = answer.development();
  line["principals"] = answer.principals();
  return JsonLine(line);
}

std::string ToText(const v1::ReloadPolicyResponse& answer) {
  const bool same = answer.policy_hash() == answer.previous_policy_hash();
  std::string text = "in force: " + client::TerminalSafe(answer.policy_hash()) +
                     (same ? " (as before)" : "") + '\n';
  if (!same) text += "before:   " + client::TerminalSafe(answer.previous_policy_hash()) + '\n';
  if (!answer.shadow_policy_hash().empty()) {
    text += "tried:    " + client::TerminalSafe(answer.shadow_policy_hash()) + '\n';
  }
  return text;
}

int Reload(const Invocation& invocation, bool json) {
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitNo);
  const auto answer = Call(connection->broker(), &v1::Broker::Stub::ReloadPolicy,
                           v1::ReloadPolicyRequest(), "reload the policy");
  if (!answer) return Complain(answer.error(), client::kExitNo);
  const int status = answer->reloaded() ? client::kExitYes : client::kExitNo;
  if (json) return PrintLine(ToJsonLine(*answer), status);
  if (answer->reloaded()) {
    if (answer->development()) Complain("development mode: never use it in production");
    return Print(ToText(*answer), status);
  }
  for (const std::string& problem : answer->problems()) Complain(problem);
  Complain("nothing has changed: " + answer->policy_hash() + " stays in force");
  return status;
}

}  // namespace

void AddPolicyReload(CLI::App& policy, Invocation& invocation) {
  CLI::App& command = AddCommand(
      policy, {.name = "reload",
               .summary = "Make the broker read its policy files anew (role operate)",
               .arguments = "",
               .details = "All or nothing: where a file has a problem, what was in force stays.\n"
                          "Runs that are admitted already go on as they were admitted.\n"
                          "Exit status: 0 reloaded, 1 not (the problems on stderr), 2 usage.\n"
                          "JSON: reloaded, problems, policyHash, previousPolicyHash,\n"
                          "shadowPolicyHash, development, principals.\n"
                          "Example: tidewaiter policy reload"});
  auto json = std::make_shared<bool>(false);
  AddSocketOption(command, invocation);
  AddJsonFlag(command, *json);
  command.callback([&command, &invocation, json] {
    ForbidPositionals(command, invocation);
    invocation.action = [&invocation, json] { return Reload(invocation, *json); };
  });
}

}  // namespace tidewaiter::cli
