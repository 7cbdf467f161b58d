#include "broker/run/run_outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/guarded.h"
#include "base/shared_bytes.h"
#include "broker/run/pause.h"

namespace tidewaiter::run {
namespace {

// Of one event (broker.proto).
constexpr std::size_t kMaxPieceBytes = std::size_t{256} << 10U;
// Of an output that is cut off on its way here.
constexpr int kAttempts = 3;
constexpr std::chrono::milliseconds kPause{500};

// The client as a place to write to: blocks while it has no room.
class ClientPipe {
 public:
  ClientPipe(RunObserver& observer, std::chrono::milliseconds stall)
      : observer_(observer), stall_(stall) {
    observer_.SetResume([this] {
      room_.Lock()->there = true;
      changed_.notify_all();
    });
  }
  ~ClientPipe() { observer_.SetResume({}); }
  ClientPipe(const ClientPipe&) = delete;
  ClientPipe& operator=(const ClientPipe&) = delete;

  Result<void> Write(const std::string& name, std::string_view data, const Patience& patience) {
    while (!data.empty()) {
      room_.Lock()->there = false;  // before the question: it may come back at once
      const std::string_view piece = data.substr(0, kMaxPieceBytes);
      data.remove_prefix(piece.size());
      TW_ASSIGN(const bool room, observer_.OnOutputPiece(name, piece));
      if (!room) TW_TRY(AwaitRoom(patience));
    }
    return Ok();
  }

 private:
  struct Room {
    bool there = false;
  };

  Result<void> AwaitRoom(const Patience& patience) {
    const Deadline stalls = Deadline::After(stall_);
    auto room = room_.Lock();
    if (room.Wait(changed_, patience.stop, patience.deadline.Sooner(stalls),
                  [&] { return room->there; })) {
      return Ok();
    }
    if (patience.stop.stop_requested()) {
      return Fail(ErrorCode::kCancelled, "return an output: the run was stopped");
    }
    return Fail(ErrorCode::kDeadlineExceeded, patience.deadline.Passed()
                                                  ? "return an output: it took too long"
                                                  : "return an output: the client takes nothing");
  }

  RunObserver& observer_;
  const std::chrono::milliseconds stall_;
  Guarded<Room> room_;
  std::condition_variable_any changed_;
};

}  // namespace

RunOutputs OutputsOf(const policy::EffectiveRun& effective) {
  RunOutputs outputs{.names = {},
                     .max_bytes = static_cast<std::uint64_t>(effective.limits.output_bytes),
                     .again = false};
  for (const policy::Mount& mount : effective.mounts) {
    if (const auto* output = std::get_if<policy::OutputMount>(&mount.source)) {
      outputs.names.push_back(output->name);
    }
  }
  return outputs;
}

Result<void> PrepareOutputs(const Environment& environment, const RunFacts& facts,
                            const policy::EffectiveRun& effective) {
  const RunFiles::Owner owner{
      .run_id = facts.run_id, .principal = facts.caller.principal, .user = effective.user};
  for (const std::string& name : OutputsOf(effective).names) {
    TW_TRY(environment.files->PrepareOutput(owner, name));
  }
  return Ok();
}

namespace {

// From where the container has written it to where all outputs lie.
Result<Omissions> FetchOnce(RunFiles& files, const RunId& run_id, Container& container,
                            const OutputRequest& request, const Patience& patience) {
  TW_ASSIGN(const auto receiver, files.ReceiveOutput(run_id, request.name, request.max_bytes));
  const auto write = [&](std::string_view data) {
    return receiver->Write(SharedBytes(std::string(data)), patience);
  };
  TW_ASSIGN(Omissions omissions, container.FetchOutput(request, write, patience));
  TW_TRY(receiver->Finish(patience));
  return omissions;
}

Result<Omissions> FetchOutput(RunFiles& files, const RunId& run_id, Container& container,
                              const OutputRequest& request, const Patience& patience) {
  for (int attempt = 1;; ++attempt) {
    Result<Omissions> fetched = FetchOnce(files, run_id, container, request, patience);
    if (fetched || fetched.error().Reason() != kOutputCut) return fetched;
    if (attempt < kAttempts && Pause(kPause, patience)) continue;
    const bool stopped = patience.stop.stop_requested();
    return Fail(stopped ? ErrorCode::kCancelled : fetched.error().code, fetched.error().message,
                stopped ? "" : "OUTPUT_FAILED");
  }
}

}  // namespace

std::vector<KeptOutput> SendOutputs(const Environment& environment, const RunFacts& facts,
                                    const RunOutputs& outputs, Container* carried_by,
                                    RunObserver& observer, const std::stop_token& stop) {
  std::vector<KeptOutput> sent_outputs;
  if (outputs.names.empty()) return sent_outputs;
  const RunSettings& settings = environment.settings;
  const Patience patience{.stop = stop, .deadline = Deadline::After(settings.output_timeout)};
  ClientPipe client(observer, settings.output_stall);
  std::uint64_t left = outputs.max_bytes;
  for (const std::string& name : outputs.names) {
    const auto write = [&](std::string_view data) { return client.Write(name, data, patience); };
    RunFiles& files = *environment.files;
    Result<Omissions> fetched = Omissions();
    if (carried_by != nullptr) {
      const bool last = !outputs.again && &name == &outputs.names.back();
      fetched = FetchOutput(files, facts.run_id, *carried_by,
                            {.name = name, .max_bytes = left, .last = last}, patience);
    }
    auto sent = fetched ? files.Send(facts.run_id, name, left, write, patience)
                        : Result<OutputSummary>(fetched.error());
    if (sent) sent->omissions.Precede(*std::move(fetched));
    KeptOutput output{
        .name = name, .summary = sent ? *std::move(sent) : OutputSummary(), .error = {}};
    if (!sent) output.error = sent.error().message;
    const auto ended = observer.OnOutputEnd(name, output.summary, output.error);
    if (sent && !ended) output.error = ended.error().message;
    left -= std::min(left, output.summary.archive.bytes);
    ArchiveNote note{.name = name, .archive = {}, .omitted = 0, .error = {}};
    if (output.error.empty()) {
      note.archive = output.summary.archive;
      note.omitted = output.summary.omissions.count;
    } else {
      note.error = sent ? ended.error().Reason() : sent.error().Reason();
    }
    environment.audit->AppendEventually(
        ArchiveEvent(AuditEvent::Type::kRunOutput, facts, std::move(note)));
    sent_outputs.push_back(std::move(output));
  }
  return sent_outputs;
}

}  // namespace tidewaiter::run
