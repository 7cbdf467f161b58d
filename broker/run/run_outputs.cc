#include "broker/run/run_outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/guarded.h"

namespace tidewaiter::run {
namespace {

// Of one event (broker.proto).
constexpr std::size_t kMaxPieceBytes = std::size_t{256} << 10U;

std::vector<std::string> OutputNames(const policy::EffectiveRun& effective) {
  std::vector<std::string> names;
  for (const policy::Mount& mount : effective.mounts) {
    if (const auto* output = std::get_if<policy::OutputMount>(&mount.source)) {
      names.push_back(output->name);
    }
  }
  return names;
}

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
      if (!observer_.OnOutputPiece(name, piece)) TW_TRY(AwaitRoom(patience));
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

bool HasOutputs(const policy::EffectiveRun& effective) {
  return !OutputNames(effective).empty();
}

Result<void> PrepareOutputs(const Environment& environment, const RunFacts& facts,
                            const policy::EffectiveRun& effective) {
  const RunFiles::Owner owner{
      .run_id = facts.run_id, .principal = facts.caller.principal, .user = effective.user};
  for (const std::string& name : OutputNames(effective)) {
    TW_TRY(environment.files->PrepareOutput(owner, name));
  }
  return Ok();
}

void SendOutputs(const Environment& environment, const RunFacts& facts,
                 const policy::EffectiveRun& effective, RunObserver& observer,
                 const std::stop_token& stop) {
  const std::vector<std::string> names = OutputNames(effective);
  if (names.empty()) return;
  const RunSettings& settings = environment.settings;
  const Patience patience{.stop = stop, .deadline = Deadline::After(settings.output_timeout)};
  ClientPipe client(observer, settings.output_stall);
  auto left = static_cast<std::uint64_t>(effective.limits.output_bytes);
  for (const std::string& name : names) {
    const auto write = [&](std::string_view data) { return client.Write(name, data, patience); };
    const auto sent = environment.files->Send(facts.run_id, name, left, write, patience);
    ArchiveNote note{.name = name, .archive = {}, .omitted = 0, .error = {}};
    if (sent) {
      left -= std::min(left, sent->archive.bytes);
      note.archive = sent->archive;
      note.omitted = sent->omitted;
    } else {
      note.error = sent.error().Reason();
    }
    observer.OnOutputEnd(name, sent ? *sent : OutputSummary(), sent ? "" : sent.error().message);
    environment.audit->AppendEventually(
        ArchiveEvent(AuditEvent::Type::kRunOutput, facts, std::move(note)));
  }
}

}  // namespace tidewaiter::run
