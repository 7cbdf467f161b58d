#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "audit/signed_note.h"
#include "audit/verifier.h"
#include "client/commands/audit_folder.h"
#include "client/commands/commands.h"
#include "client/commands/files.h"
#include "client/commands/json_text.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

struct Options {
  bool json = false;
  std::string key;
  std::vector<std::string> checkpoints;
};

nlohmann::ordered_json ToJson(const audit::Verdict& verdict, const AuditKey& key) {
  nlohmann::ordered_json line{{"verified", verdict.Holds()},
                              {"key", key.key.ToString()},
                              {"keyFromFolder", key.from_folder},
                              {"firstRecord", verdict.first_record},
                              {"nextRecord", verdict.next_record},
                              {"signedRecords", verdict.signed_records},
                              {"segments", verdict.segments},
                              {"checkpoints", verdict.checkpoints},
                              {"bytes", verdict.bytes}};
  line["faults"] = nlohmann::ordered_json::array();
  for (const audit::Fault& fault : verdict.faults) {
    nlohmann::ordered_json each{{"kind", audit::ToString(fault.kind)},
                                {"record", fault.record},
                                {"count", fault.count},
                                {"file", fault.file}};
    if (fault.offset) each["offset"] = *fault.offset;
    each["message"] = fault.message;
    line["faults"].push_back(std::move(each));
  }
  if (verdict.more_faults) line["moreFaults"] = true;
  line["remarks"] = verdict.remarks;
  return line;
}

std::string ToText(const audit::Verdict& verdict, const AuditKey& key) {
  std::string out;
  for (const audit::Fault& fault : verdict.faults) {
    std::string place = fault.file;
    if (fault.offset) place += fmt::format(", byte {}", *fault.offset);
    out += fmt::format("FAIL  {}{}\n", fault.message, place.empty() ? "" : " (" + place + ")");
  }
  if (verdict.more_faults) out += "FAIL  and more\n";
  for (const std::string& remark : verdict.remarks) out += "note  " + remark + "\n";
  if (key.from_folder) {
    out +=
        "note  the key is the folder's own (key.pub): whoever could change the log could change\n"
        "      that; give the one that you were given with --key\n";
  }
  out += fmt::format("{}  records {} to {} in {} segment(s), {} checkpoint(s), key {}\n",
                     verdict.Holds() ? "ok  " : "FAIL", verdict.first_record,
                     verdict.next_record == 0 ? 0 : verdict.next_record - 1, verdict.segments,
                     verdict.checkpoints, key.key.ToString());
  return out;
}

int Verify(const std::string& path, const Options& options) {
  auto folder = OpenAuditFolder(path);
  if (!folder) return Complain(folder.error(), client::kExitNo);
  const auto key = FindAuditKey(options.key, path);
  if (!key) return Complain(key.error(), client::kExitNo);
  audit::VerifyOptions asked{.key = key->key};
  for (const std::string& name : options.checkpoints) {
    auto bytes = ReadFile(name, audit::kMaxNoteBytes);
    if (!bytes) return Complain(bytes.error(), client::kExitNo);
    asked.checkpoints.push_back({.name = name, .bytes = *std::move(bytes)});
  }
  const auto verdict = audit::VerifyLog(*std::move(folder), asked);
  if (!verdict) return Complain(verdict.error().Within("verify " + path), client::kExitNo);
  const int status = verdict->Holds() ? client::kExitYes : client::kExitNo;
  if (options.json) return PrintLine(JsonLine(ToJson(*verdict, *key)), status);
  return Print(ToText(*verdict, *key), status);
}

}  // namespace

void AddAuditVerify(CLI::App& audit, Invocation& invocation) {
  CLI::App& command = AddCommand(
      audit,
      {.name = "verify",
       .summary = "Prove that no record of a log was changed, removed or added",
       .arguments = "[DIR]",
       .details =
           "DIR is the log's folder or a copy of it, /var/log/tidewaiter where it is not given; no "
           "broker\n"
           "is asked. Names the first bad "
           "record\n"
           "and what is wrong with it: changed, missing, inserted, reordered, truncated, forked.\n"
           "Only a checkpoint that was kept elsewhere (--checkpoint) shows that a log's end is\n"
           "missing, or that whoever holds the key wrote another log.\n"
           "Exit status: 0 every record is as it was signed, 1 it is not or cannot be read, 2 "
           "usage.\n"
           "JSON: verified, faults (kind, record, count, file, offset, message), remarks and "
           "more.\n"
           "Example: tidewaiter audit verify /var/log/tidewaiter --key auditor.pub"});
  auto options = std::make_shared<Options>();
  AddJsonFlag(command, options->json);
  command.add_option("--key", options->key, "The log's public key, or a file that has it")
      ->type_name("KEY");
  command.add_option("--checkpoint", options->checkpoints, "A checkpoint that was kept elsewhere")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command.callback([&command, &invocation, options] {
    const std::vector<std::string> paths = Positionals(command, invocation);
    if (paths.size() > 1) ThrowUsage("audit verify takes one DIR");
    invocation.action = [path = paths.empty() ? std::string(kAuditFolder) : paths.front(),
                         options] { return Verify(path, *options); };
  });
}

}  // namespace tidewaiter::cli
