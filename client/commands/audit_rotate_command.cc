#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "client/commands/call.h"
#include "client/commands/commands.h"
#include "client/commands/json_text.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

int Rotate(const Invocation& invocation, bool json) {
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitNo);
  const auto answer = Call(connection->broker(), &v1::Broker::Stub::RotateAuditKey,
                           v1::RotateAuditKeyRequest(), "change the audit log's key");
  if (!answer) return Complain(answer.error(), client::kExitNo);
  if (json) {
    return PrintLine(JsonLine({{"key", answer->key()},
                               {"formerKey", answer->former_key()},
                               {"record", answer->record()}}),
                     client::kExitYes);
  }
  return Print(
      fmt::format("key:    {}\nbefore: {}\nrecord: {}\n", client::TerminalSafe(answer->key()),
                  client::TerminalSafe(answer->former_key()), answer->record()),
      client::kExitYes);
}

}  // namespace

void AddAuditRotateKey(CLI::App& audit, Invocation& invocation) {
  CLI::App& command = AddCommand(
      audit,
      {.name = "rotate-key",
       .summary = "Hand the audit log over to a new key (role operate)",
       .arguments = "",
       .details = "The broker makes the key. A record says so, both keys sign the beginning\n"
                  "of the next segment, and from there on the new one alone. Whoever\n"
                  "verifies with the former key is led to the new one; give it to the\n"
                  "auditors all the same.\n"
                  "Exit status: 0 done, 1 not: what was begun is brought to its end by the\n"
                  "next such command or the broker's next start, 2 usage.\n"
                  "JSON: key, formerKey, record.\n"
                  "Example: tidewaiter audit rotate-key"});
  auto json = std::make_shared<bool>(false);
  AddSocketOption(command, invocation);
  AddJsonFlag(command, *json);
  command.callback([&command, &invocation, json] {
    ForbidPositionals(command, invocation);
    invocation.action = [&invocation, json] { return Rotate(invocation, *json); };
  });
}

}  // namespace tidewaiter::cli
