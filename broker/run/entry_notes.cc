#include "broker/run/entry_notes.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::run {
namespace {

constexpr std::size_t kStackBytes = std::size_t{256} << 10U;
// A disk that takes longer hangs.
constexpr std::chrono::seconds kDiskPatience(5);

Resource* RunnerIn(JournalEntry& entry, Resource::Kind kind) {
  const auto found = std::find_if(entry.resources.begin(), entry.resources.end(),
                                  [kind](const Resource& one) { return one.kind == kind; });
  return found == entry.resources.end() ? nullptr : &*found;
}

}  // namespace

std::string RunnerOf(const JournalEntry& entry) {
  const auto found =
      std::find_if(entry.resources.begin(), entry.resources.end(),
                   [](const Resource& one) { return one.kind == Resource::Kind::kPod; });
  return found == entry.resources.end() ? std::string() : found->id;
}

void EntryNotes::NoteRunner(Container& container, JournalEntry& entry,
                            const std::stop_token& stop) {
  if (!entry.detachment) return;
  const std::optional<Resource> runner = container.Runner();
  if (!runner) return;
  Resource* const noted = RunnerIn(entry, runner->kind);
  if (noted == nullptr || noted->id == runner->id) return;
  noted->id = runner->id;
  const auto written = Write(entry, "which " + std::string(ToString(runner->kind)) + " runs it");
  // Its thread's stack goes with it.
  if (written && written->Wait(stop, Deadline::After(kDiskPatience))) writing_ = {};
}

void EntryNotes::NoteCancel(const std::optional<StopCause>& cause, JournalEntry& entry) {
  const bool cancelled = cause && cause->kind == StopCause::Kind::kCancelled && !cause->by.empty();
  if (!cancelled || !entry.detachment || !entry.detachment->cancelled_by.empty()) return;
  entry.detachment->cancelled_by = cause->by;
  Write(entry, "who has cancelled it");
}

std::shared_ptr<Completion<bool>> EntryNotes::Write(const JournalEntry& entry,
                                                    std::string_view what) {
  const auto done = std::make_shared<Completion<bool>>();
  const auto before = std::make_shared<SizedThread>(std::move(writing_));
  auto writing =
      SizedThread::Start(kStackBytes, std::stop_source(),
                         [&environment = environment_, before, done, entry,
                          what = std::string(what)](const std::stop_token&) {
                           *before = {};  // in order
                           const Result<void> written = environment.journal->Update(entry);
                           if (!written && environment.log != nullptr) {
                             environment.log->Write(LogLevel::kWarning,
                                                    "run " + Quoted(entry.run_id.value()) + " of " +
                                                        Quoted(entry.caller.principal) + ": note " +
                                                        what + ": " + written.error().message);
                           }
                           done->Set(written.has_value());
                         });
  if (!writing) return nullptr;
  writing_ = *std::move(writing);
  return done;
}

}  // namespace tidewaiter::run
