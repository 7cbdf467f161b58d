#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "audit/hash_key.h"
#include "audit/key_file.h"
#include "base/printable.h"
#include "client/commands/commands.h"
#include "client/commands/files.h"
#include "client/commands/json_text.h"
#include "client/exit_status.h"

namespace tidewaiter::cli {
namespace {

// Longer than any value of the environment or argument that the broker takes.
constexpr std::size_t kMaxValueBytes = std::size_t{16} << 20U;
constexpr char kDefaultKey[] = "/var/lib/tidewaiter/audit-hash.key";

struct Options {
  bool json = false;
  std::string key = kDefaultKey;
};

// Whoever runs this brings the key, perhaps a copy: whose it is and who else can read it is for the
// broker to judge, who keeps it.
Result<audit::HashKey> ReadKey(const std::string& path) {
  TW_ASSIGN(std::string text, ReadFile(path, audit::kMaxKeyFileBytes));
  const audit::SecretText secret(std::move(text));
  Result<audit::HashKey> key = audit::HashKey::Parse(secret.view());
  if (!key) {
    return Fail(ErrorCode::kFailedPrecondition,
                "read key " + Quoted(path) +
                    ": it is not 64 lower-case hexadecimal digits and a line feed");
  }
  return key;
}

int Hash(const std::string& value, const Options& options) {
  const Result<audit::HashKey> key = ReadKey(options.key);
  if (!key) return Complain(key.error(), client::kExitNo);
  std::string bytes = value;
  if (value == "-") {
    Result<std::string> read = ReadFile("-", kMaxValueBytes);
    if (!read) return Complain(read.error(), client::kExitNo);
    bytes = *std::move(read);
  }
  const std::string hash = key->Hash(bytes);
  audit::Wipe(bytes);
  if (!options.json) return PrintLine(hash, client::kExitYes);
  return PrintLine(JsonLine(nlohmann::ordered_json{{"hash", hash}}), client::kExitYes);
}

}  // namespace

void AddAuditHash(CLI::App& audit, Invocation& invocation) {
  CLI::App& command = AddCommand(
      audit,
      {.name = "hash",
       .summary = "The hash that stands for a value in the audit log",
       .arguments = "[VALUE]",
       .details = "Prints what the log has for VALUE where that is the value of a variable, or an\n"
                  "argument: its HMAC-SHA256 under the broker's key. Asks no broker.\n"
                  "Without VALUE, or where it is '-', the value is all of stdin, to the byte: a\n"
                  "line feed at the end is part of it. Every user of this machine can see the\n"
                  "arguments of a command, so a secret belongs on stdin.\n"
                  "Exit status: 0, or 1 where the key or the value cannot be read.\n"
                  "JSON: hash.\n"
                  "Example: tidewaiter audit hash --key audit-hash.key < token"});
  auto options = std::make_shared<Options>();
  AddJsonFlag(command, options->json);
  command
      .add_option("--key", options->key,
                  std::string("The broker's key; ") + kDefaultKey + " by itself")
      ->type_name("FILE");
  command.callback([&command, &invocation, options] {
    const std::vector<std::string> values = Positionals(command, invocation);
    if (values.size() > 1) ThrowUsage("audit hash takes one VALUE");
    const std::string value = values.empty() ? "-" : values.front();
    if (options->key == "-" && value == "-") ThrowUsage("stdin cannot be both key and value");
    invocation.action = [value, options] { return Hash(value, *options); };
  });
}

}  // namespace tidewaiter::cli
