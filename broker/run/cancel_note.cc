#include "broker/run/cancel_note.h"

namespace tidewaiter::run {
namespace {

constexpr std::size_t kStackBytes = std::size_t{256} << 10U;

}  // namespace

CancelNote::CancelNote(const Environment& environment, const std::optional<StopCause>& cause,
                       JournalEntry& entry) {
  const bool cancelled = cause && cause->kind == StopCause::Kind::kCancelled && !cause->by.empty();
  if (!cancelled || !entry.detachment || entry.detachment->cancelled_by == cause->by) return;
  entry.detachment->cancelled_by = cause->by;
  auto writing =
      SizedThread::Start(kStackBytes, std::stop_source(),
                         [&journal = *environment.journal, entry](const std::stop_token&) {
                           // Where it fails, a broker that dies now leaves a run that the next one
                           // goes on with.
                           static_cast<void>(journal.Update(entry));
                         });
  if (writing) writing_ = *std::move(writing);
}

}  // namespace tidewaiter::run
