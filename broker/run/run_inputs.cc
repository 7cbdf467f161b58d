#include "broker/run/run_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "base/printable.h"

namespace tidewaiter::run {
namespace {

std::set<std::string> InputNames(const policy::EffectiveRun& effective) {
  std::set<std::string> names;
  for (const policy::Mount& mount : effective.mounts) {
    if (const auto* input = std::get_if<policy::InputMount>(&mount.source)) {
      names.insert(input->name);
    }
  }
  return names;
}

class Intake {
 public:
  Intake(const Environment& environment, const RunFacts& facts,
         const policy::EffectiveRun& effective, const FileCarriage& carriage, UploadSource& uploads,
         const std::stop_token& stop)
      : environment_(environment),
        facts_(facts),
        effective_(effective),
        carriage_(carriage),
        uploads_(uploads),
        patience_{.stop = stop, .deadline = Deadline::After(environment.settings.input_timeout)} {}

  Result<void> Run(std::set<std::string> expected) {
    std::uint64_t left = std::min(static_cast<std::uint64_t>(effective_.limits.input_bytes),
                                  carriage_.max_input_bytes);
    while (!expected.empty()) {
      TW_ASSIGN(UploadPiece piece, Next());
      if (expected.erase(piece.name) == 0) return Unexpected(piece.name);
      const std::string name = piece.name;
      std::string code;
      const auto taken = TakeOne(std::move(piece), left, code);
      Record(name, taken, code);
      if (!taken) return taken.error();
      left -= std::min(left, taken->bytes);
    }
    return Ok();
  }

 private:
  // `code`: of a refusal.
  Result<ArchiveSummary> TakeOne(UploadPiece piece, std::uint64_t max_bytes, std::string& code) {
    const std::string name = piece.name;
    RunFiles::Owner owner{
        .run_id = facts_.run_id, .principal = facts_.caller.principal, .user = {}};
    if (!carriage_.carried) owner.user = effective_.user;
    TW_ASSIGN(const auto receiver, environment_.files->Receive(owner, name, max_bytes));
    auto taken = Feed(*receiver, name, std::move(piece));
    code = receiver->code();
    return taken;
  }

  Result<ArchiveSummary> Feed(ArchiveReceiver& receiver, const std::string& name,
                              UploadPiece piece) {
    while (true) {
      TW_TRY(receiver.Write(piece.data, patience_));
      if (piece.last) return receiver.Finish(patience_);
      TW_ASSIGN(piece, Next());
      if (piece.name != name) return Unexpected(piece.name);
    }
  }

  Result<UploadPiece> Next() {
    const Deadline stalls = Deadline::After(environment_.settings.input_stall);
    auto piece =
        uploads_.Next({.stop = patience_.stop, .deadline = patience_.deadline.Sooner(stalls)});
    if (piece || piece.error().code != ErrorCode::kDeadlineExceeded) return piece;
    const auto waited = patience_.deadline.Passed() ? environment_.settings.input_timeout
                                                    : environment_.settings.input_stall;
    return Fail(ErrorCode::kDeadlineExceeded,
                fmt::format("take the run's inputs: {} {} ms",
                            patience_.deadline.Passed() ? "they did not come whole within"
                                                        : "the client sent nothing for",
                            waited.count()),
                "INPUT_STALLED");
  }

  static Error Unexpected(const std::string& name) {
    return Fail(ErrorCode::kInvalidArgument,
                "take the run's inputs: a piece of " + Quoted(name) +
                    ", which is none of them, came before, or stands amid another",
                "PROTOCOL_VIOLATION");
  }

  void Record(const std::string& name, const Result<ArchiveSummary>& taken,
              const std::string& code) {
    ArchiveNote note{.name = name, .archive = {}, .omitted = 0, .error = {}};
    if (taken) {
      note.archive = *taken;
    } else {
      note.error = taken.error().Reason();
      if (!code.empty()) note.error += ": " + code;
    }
    environment_.audit->AppendEventually(
        ArchiveEvent(AuditEvent::Type::kRunInput, facts_, std::move(note)));
  }

  const Environment& environment_;
  const RunFacts& facts_;
  const policy::EffectiveRun& effective_;
  const FileCarriage& carriage_;
  UploadSource& uploads_;
  const Patience patience_;
};

}  // namespace

Result<void> TakeInputs(const Environment& environment, const RunFacts& facts,
                        const policy::EffectiveRun& effective, const FileCarriage& carriage,
                        UploadSource* uploads, const std::stop_token& stop) {
  std::set<std::string> expected = InputNames(effective);
  if (expected.empty()) return Ok();
  if (uploads == nullptr || environment.files == nullptr) {
    return Fail(ErrorCode::kFailedPrecondition, "take the run's inputs: nobody sends them",
                "INPUT_MISSING");
  }
  return Intake(environment, facts, effective, carriage, *uploads, stop).Run(std::move(expected));
}

}  // namespace tidewaiter::run
