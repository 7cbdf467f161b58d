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

void Warn(const Environment& environment, const JournalEntry& entry, const std::string& what,
          const std::string& why) {
  if (environment.log == nullptr) return;
  environment.log->Write(LogLevel::kWarning, "run " + Quoted(entry.run_id.value()) + " of " +
                                                 Quoted(entry.caller.principal) + ": note " + what +
                                                 ": " + why);
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
  const std::string what = "which " + std::string(ToString(runner->kind)) + " runs it";
  const auto written = Write(entry, what);
  if (written && written->Wait(stop, Deadline::After(kDiskPatience))) {
    writing_ = {};  // its thread's stack goes with it
  } else if (!stop.stop_requested()) {
    Warn(environment_, entry, what, written ? "the disk takes long" : "no thread is to be had");
  }
}

void EntryNotes::NoteCancel(const std::optional<StopCause>& cause, JournalEntry& entry) {
  const bool cancelled = cause && cause->kind == StopCause::Kind::kCancelled && !cause->by.empty();
  if (!cancelled || !entry.detachment || !entry.detachment->cancelled_by.empty()) return;
  entry.detachment->cancelled_by = cause->by;
  Write(entry, "who has cancelled it");
}

std::shared_ptr<Completion<bool>> EntryNotes::Write(const JournalEntry& entry,
                                                    std::string_view what) {
  auto done = std::make_shared<Completion<bool>>();
  const auto before = std::make_shared<SizedThread>(std::move(writing_));
  auto writing = SizedThread::Start(kStackBytes, std::stop_source(),
                                    [&environment = environment_, before, done, entry,
                                     what = std::string(what)](const std::stop_token&) {
                                      *before = {};  // in order
                                      const Result<void> written =
                                          environment.journal->Update(entry);
                                      if (!written)
                                        Warn(environment, entry, what, written.error().message);
                                      done->Set(written.has_value());
                                    });
  if (!writing) return nullptr;
  writing_ = *std::move(writing);
  return done;
}

}  // namespace tidewaiter::run
