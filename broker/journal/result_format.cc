#include "broker/journal/result_format.h"

#include <array>
#include <chrono>
#include <optional>

#include "base/mask_credentials.h"
#include "base/printable.h"
#include "broker/journal/sealed_file.h"
#include "run_entry.pb.h"

namespace tidewaiter::journal {
namespace {

using Kind = run::Outcome::Kind;
using std::chrono::milliseconds;

constexpr std::array kKinds{Kind::kExited, Kind::kTimedOut, Kind::kCancelled,  Kind::kCommandFailed,
                            Kind::kFailed, Kind::kShutdown, Kind::kClientGone, Kind::kLost};

std::optional<Kind> KindOf(std::string_view word) {
  for (const Kind kind : kKinds) {
    if (run::ToString(kind) == word) return kind;
  }
  return std::nullopt;
}

// For texts that others wrote, so that the result of a run can always be written: the engine's
// messages, the names of what the run left behind.
constexpr std::size_t kMaxText = 4096;
// A cut text has a whole escaped character and "..." more than it was to have. It must not be cut
// again where it is written again.
constexpr std::size_t kMaxOver = 32;
// Of all outputs together.
constexpr std::size_t kMaxOmissionBytes = std::size_t{256} << 10U;

std::string Bounded(std::string_view text) {
  // What may be written as it is, is: it may have been made printable already.
  if (text.size() <= kMaxText && IsUtf8(text)) return std::string(text);
  return Printable(text, kMaxText - kMaxOver);
}

// An engine that cannot start a command quotes it, and an argument belongs into no file.
std::string MessageOf(const run::Outcome& outcome) {
  if (outcome.kind == Kind::kCommandFailed && !outcome.message.empty()) {
    return "start the command: the engine could not; its words are not kept, since they quote it";
  }
  // Once more behind the cut: what ended a password's URL may be gone.
  return MaskCredentials(Bounded(MaskCredentials(outcome.message)));
}

void AddOutputs(const run::KeptRun& run, KeptResult& message) {
  std::size_t room = kMaxOmissionBytes;
  for (const run::KeptOutput& output : run.outputs) {
    Output& added = *message.add_outputs();
    added.set_name(Bounded(output.name));
    added.set_entries(output.summary.archive.entries);
    added.set_bytes(output.summary.archive.bytes);
    added.set_archive_bytes(output.summary.archive.archive_bytes);
    added.set_sha256(output.summary.archive.sha256);
    added.set_omitted(output.summary.omissions.count);
    added.set_error(Bounded(output.error));
    for (const run::Omission& omission : output.summary.omissions.listed) {
      const std::string path = Bounded(omission.path);
      const std::size_t size = path.size() + omission.code.size();
      if (size > room) break;
      room -= size;
      Omission& left = *added.add_omissions();
      left.set_path(path);
      left.set_code(omission.code);
    }
  }
}

run::KeptOutput FromProto(const Output& output) {
  run::KeptOutput out{.name = output.name(), .summary = {}, .error = output.error()};
  out.summary.archive = {.entries = output.entries(),
                         .bytes = output.bytes(),
                         .archive_bytes = output.archive_bytes(),
                         .sha256 = output.sha256()};
  out.summary.omissions.count = output.omitted();
  for (const Omission& omission : output.omissions()) {
    out.summary.omissions.listed.push_back({.path = omission.path(), .code = omission.code()});
  }
  return out;
}

}  // namespace

Result<std::string> FormatResult(const run::KeptRun& run) {
  const std::string what = "write result of run " + Quoted(run.entry.run_id.value());
  KeptResult message;
  message.set_container_id(Bounded(run.container_id));
  message.set_outcome(std::string(run::ToString(run.outcome.kind)));
  message.set_exit_code(run.outcome.exit_code);
  message.set_oom_killed(run.outcome.oom_killed);
  message.set_message(MessageOf(run.outcome));
  message.set_reason(Bounded(run.outcome.reason));
  message.set_duration_millis(run.outcome.duration ? run.outcome.duration->count() : -1);
  for (const run::Removal& removal : run.receipt.removals) {
    Removal& added = *message.add_removals();
    added.set_kind(Bounded(removal.kind));
    added.set_id(Bounded(removal.id));
    added.set_confirmed_absent(removal.confirmed_absent);
    added.set_error(Bounded(removal.error));
  }
  message.set_dropped_bytes(run.dropped_bytes);
  message.set_truncated(Bounded(run.truncated));
  AddOutputs(run, message);
  message.set_ended_at_millis(
      std::chrono::duration_cast<milliseconds>(run.ended_at.time_since_epoch()).count());
  std::string bytes = Seal(message.SerializeAsString());
  if (bytes.size() > kMaxSealedBytes)
    return Fail(ErrorCode::kInvalidArgument, what + ": too large");
  return bytes;
}

Result<void> ParseResult(std::string_view bytes, run::KeptRun& run) {
  TW_ASSIGN(const std::string content, Unseal(bytes));
  KeptResult message;
  if (!message.ParseFromString(content)) return Unreadable("no result of a run");
  const std::optional<Kind> kind = KindOf(message.outcome());
  if (!kind) return Unreadable("an unknown outcome");
  const bool started = message.duration_millis() >= 0;
  if (!IsTime(message.ended_at_millis()) || (started && !IsTime(message.duration_millis()))) {
    return Unreadable("an impossible time");
  }
  run.container_id = message.container_id();
  run.outcome = {.kind = *kind,
                 .exit_code = message.exit_code(),
                 .oom_killed = message.oom_killed(),
                 .message = message.message(),
                 .reason = message.reason(),
                 .duration = {}};
  if (started) run.outcome.duration = milliseconds(message.duration_millis());
  run.receipt.removals.clear();
  for (const Removal& removal : message.removals()) {
    run.receipt.removals.push_back({.kind = removal.kind(),
                                    .id = removal.id(),
                                    .confirmed_absent = removal.confirmed_absent(),
                                    .error = removal.error()});
  }
  run.dropped_bytes = message.dropped_bytes();
  run.truncated = message.truncated();
  run.outputs.clear();
  for (const Output& output : message.outputs()) run.outputs.push_back(FromProto(output));
  run.ended_at = std::chrono::system_clock::time_point(milliseconds(message.ended_at_millis()));
  return Ok();
}

}  // namespace tidewaiter::journal
