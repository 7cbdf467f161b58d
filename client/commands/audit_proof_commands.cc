#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit/hash_text.h"
#include "audit/prover.h"
#include "audit/segment_name.h"
#include "audit/signed_checkpoint.h"
#include "audit/signed_note.h"
#include "base/printable.h"
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
  std::string directory = kAuditFolder;
  std::string key;
  std::string older_key;
  std::string checkpoint;
  std::string record;
};

void AddOptions(CLI::App& command, Options& options) {
  AddJsonFlag(command, options.json);
  command.add_option("--dir", options.directory, "The log's folder or a copy of it")
      ->type_name("DIR");
  command.add_option("--key", options.key, "The log's public key, or a file that has it")
      ->type_name("KEY");
}

nlohmann::ordered_json HashesOf(const audit::Proof& proof) {
  auto hashes = nlohmann::ordered_json::array();
  for (const audit::Hash& hash : proof) hashes.push_back(audit::ToBase64(hash));
  return hashes;
}

nlohmann::ordered_json ToJson(const audit::InclusionProof& proof) {
  return {{"index", proof.index},
          {"record", proof.line},
          {"hashes", HashesOf(proof.hashes)},
          {"checkpoint", proof.checkpoint}};
}

// A checkpoint in a file, or the folder's newest where none is named.
Result<std::string> ReadNote(const std::string& name, const std::string& directory) {
  if (name.empty()) return ReadFolderFile(directory, audit::kCheckpointName, audit::kMaxNoteBytes);
  return ReadFile(name, audit::kMaxNoteBytes);
}

int Prove(std::uint64_t index, const Options& options) {
  auto folder = OpenAuditFolder(options.directory);
  if (!folder) return Complain(folder.error(), client::kExitNo);
  const auto key = FindAuditKey(options.key, options.directory);
  if (!key) return Complain(key.error(), client::kExitNo);
  const auto note = ReadNote(options.checkpoint, options.directory);
  if (!note) return Complain(note.error(), client::kExitNo);
  const auto proof = audit::ProveInclusion(*std::move(folder), index, *note, key->key);
  if (!proof) return Complain(proof.error(), client::kExitNo);
  if (options.json) return PrintLine(JsonLine(ToJson(*proof)), client::kExitYes);
  return Print(proof->ToString(), client::kExitYes);
}

int CheckProof(const std::string& path, const Options& options) {
  const auto bytes = ReadFile(path, audit::kMaxProofBytes);
  if (!bytes) return Complain(bytes.error(), client::kExitNo);
  auto proof = audit::InclusionProof::Parse(*bytes);
  if (!proof) return Complain(proof.error(), client::kExitNo);
  const auto key = FindAuditKey(options.key, {});
  if (!key) return Complain(key.error(), client::kExitNo);
  if (!options.record.empty()) {
    auto line = ReadFile(options.record, audit::kMaxProofBytes);
    if (!line) return Complain(line.error(), client::kExitNo);
    if (line->ends_with('\n')) line->pop_back();
    proof->line = *std::move(line);
  }
  if (proof->line.empty()) {
    return Complain(Fail(ErrorCode::kInvalidArgument,
                         "check proof: it comes without its record; give that with --record"),
                    client::kExitNo);
  }
  const auto covering = proof->Check(proof->line, key->key);
  const int status = covering ? client::kExitYes : client::kExitNo;
  if (options.json) {
    nlohmann::ordered_json line{{"proven", covering.has_value()}, {"index", proof->index}};
    if (covering) {
      line["origin"] = covering->origin;
      line["records"] = covering->size;
      line["record"] = proof->line;
    } else {
      line["error"] = covering.error().message;
    }
    return PrintLine(JsonLine(line), status);
  }
  if (!covering) return Complain(covering.error(), status);
  constexpr std::size_t kRecordBytes = std::size_t{4} << 20U;
  return Print(
      fmt::format("{}\nok    record {} of the {} that the key's holder signed for, log {}\n",
                  client::TerminalSafe(proof->line, kRecordBytes), proof->index, covering->size,
                  covering->origin),
      status);
}

int CheckConsistency(const std::string& older, const std::string& newer, const Options& options) {
  auto folder = OpenAuditFolder(options.directory);
  if (!folder) return Complain(folder.error(), client::kExitNo);
  const auto key = FindAuditKey(options.key, options.directory);
  if (!key) return Complain(key.error(), client::kExitNo);
  const auto older_key =
      options.older_key.empty() ? key : FindAuditKey(options.older_key, options.directory);
  if (!older_key) return Complain(older_key.error(), client::kExitNo);
  std::vector<audit::Checkpoint> checkpoints;
  for (const auto& [name, signer] : {std::pair(older, *older_key), std::pair(newer, *key)}) {
    const auto note = ReadNote(name, options.directory);
    if (!note) return Complain(note.error(), client::kExitNo);
    auto checkpoint = audit::ReadSignedCheckpoint(*note, signer.key);
    if (!checkpoint) return Complain(checkpoint.error(), client::kExitNo);
    checkpoints.push_back(*std::move(checkpoint));
  }
  const auto proof = audit::ProveConsistency(*std::move(folder), checkpoints[0], checkpoints[1]);
  if (!proof) return Complain(proof.error(), client::kExitNo);
  if (options.json) {
    return PrintLine(JsonLine({{"consistent", true},
                               {"oldRecords", checkpoints[0].size},
                               {"newRecords", checkpoints[1].size},
                               {"hashes", HashesOf(*proof)}}),
                     client::kExitYes);
  }
  std::string text;
  for (const audit::Hash& hash : *proof) text += audit::ToBase64(hash) + "\n";
  return Print(fmt::format("{}ok    the log of {} records begins with all of the log of {}\n", text,
                           checkpoints[1].size, checkpoints[0].size),
               client::kExitYes);
}

std::uint64_t ToIndex(const std::string& word) {
  std::uint64_t index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error != std::errc() || end != word.data() + word.size()) {
    ThrowUsage("read INDEX " + Quoted(word) + ": expected the number of a record");
  }
  return index;
}

}  // namespace

void AddAuditProve(CLI::App& audit, Invocation& invocation) {
  CLI::App& command =
      AddCommand(audit, {.name = "prove",
                         .summary = "Prove to somebody without the log that a record is in it",
                         .arguments = "INDEX",
                         .details = "Prints a proof in the form of C2SP tlog-proof, with the "
                                    "record in it; see check-proof.\n"
                                    "JSON: index, record, hashes, checkpoint.\n"
                                    "Example: tidewaiter audit prove 4711 > run.tlog-proof"});
  auto options = std::make_shared<Options>();
  AddOptions(command, *options);
  command
      .add_option("--checkpoint", options->checkpoint,
                  "Against this checkpoint; by itself the folder's newest")
      ->type_name("FILE");
  command.callback([&command, &invocation, options] {
    const std::vector<std::string> words = Positionals(command, invocation);
    if (words.size() != 1) ThrowUsage("audit prove needs one INDEX");
    invocation.action = [index = ToIndex(words.front()), options] {
      return Prove(index, *options);
    };
  });
}

void AddAuditCheckProof(CLI::App& audit, Invocation& invocation) {
  CLI::App& command = AddCommand(
      audit, {.name = "check-proof",
              .summary = "Check a proof that a record is in a log; needs no log",
              .arguments = "FILE",
              .details = "FILE is what 'audit prove' printed; - is stdin.\n"
                         "Exit status: 0 the record is in the log, 1 that is not proven, 2 usage.\n"
                         "JSON: proven, index, origin, records, record; or error.\n"
                         "Example: tidewaiter audit check-proof run.tlog-proof --key auditor.pub"});
  auto options = std::make_shared<Options>();
  AddJsonFlag(command, options->json);
  command.add_option("--key", options->key, "The log's public key, or a file that has it")
      ->type_name("KEY")
      ->required();
  command.add_option("--record", options->record, "The record's line, where the proof has it not")
      ->type_name("FILE");
  command.callback([&command, &invocation, options] {
    const std::vector<std::string> words = Positionals(command, invocation);
    if (words.size() != 1) ThrowUsage("audit check-proof needs one FILE");
    invocation.action = [path = words.front(), options] { return CheckProof(path, *options); };
  });
}

void AddAuditConsistency(CLI::App& audit, Invocation& invocation) {
  CLI::App& command = AddCommand(
      audit,
      {.name = "consistency",
       .summary = "Prove that a log goes on from an older checkpoint of it",
       .arguments = "OLD [NEW]",
       .details =
           "OLD and NEW are files with checkpoints; NEW is the folder's newest where it is not\n"
           "given. Prints RFC 6962's consistency proof, a hash a line.\n"
           "Exit status: 0 it does, 1 it does not or cannot be proven, 2 usage.\n"
           "JSON: consistent, oldRecords, newRecords, hashes.\n"
           "Example: tidewaiter audit consistency kept/checkpoint --key auditor.pub"});
  auto options = std::make_shared<Options>();
  AddOptions(command, *options);
  command
      .add_option("--old-key", options->older_key,
                  "The key that signed OLD, where the log was handed over since")
      ->type_name("KEY");
  command.callback([&command, &invocation, options] {
    const std::vector<std::string> words = Positionals(command, invocation);
    if (words.empty() || words.size() > 2)
      ThrowUsage("audit consistency needs OLD, and may have NEW");
    invocation.action = [older = words[0], newer = words.size() > 1 ? words[1] : std::string(),
                         options] { return CheckConsistency(older, newer, *options); };
  });
}

void AddAuditKey(CLI::App& audit, Invocation& invocation) {
  CLI::App& command = AddCommand(
      audit,
      {.name = "key",
       .summary = "The public key by which the log can be verified",
       .arguments = "",
       .details =
           "Prints the key in the folder, in the form NAME+HASH+KEY of C2SP signed-note. Keep a\n"
           "copy where the log's host cannot change it.\n"
           "JSON: key, name.\n"
           "Example: tidewaiter audit key > auditor.pub"});
  auto options = std::make_shared<Options>();
  AddJsonFlag(command, options->json);
  command.add_option("--dir", options->directory, "The log's folder or a copy of it")
      ->type_name("DIR");
  command.callback([&command, &invocation, options] {
    ForbidPositionals(command, invocation);
    invocation.action = [options] {
      const auto key = FindAuditKey({}, options->directory);
      if (!key) return Complain(key.error(), client::kExitNo);
      const std::string text = key->key.ToString();
      return PrintLine(options->json ? JsonLine({{"key", text}, {"name", key->key.name()}}) : text,
                       client::kExitYes);
    };
  });
}

}  // namespace tidewaiter::cli
