#include "broker/run/teardown.h"

#include <cstddef>
#include <utility>

namespace tidewaiter::run {

Receipt Teardown(Backend& backend, const RunId& run_id, std::vector<Resource>& resources,
                 Deadline deadline) {
  Receipt receipt;
  for (std::size_t i = resources.size(); i-- > 0;) {
    Removal removal = backend.Remove(resources[i], run_id, deadline);
    if (removal.confirmed_absent) {
      resources.erase(resources.begin() + static_cast<std::ptrdiff_t>(i));
    }
    receipt.removals.push_back(std::move(removal));
  }
  return receipt;
}

Removal CloseRun(const Environment& environment, const RunId& run_id, Deadline deadline) {
  Removal removal = environment.journal->Close(run_id, deadline);
  if (removal.confirmed_absent && environment.files != nullptr) environment.files->Forget(run_id);
  return removal;
}

Removal KeepRun(const Environment& environment, const KeptRun& run, Deadline deadline) {
  const RunId& run_id = run.entry.run_id;
  const auto kept = environment.journal->Keep(run, deadline);
  if (kept) {
    if (environment.files != nullptr) {
      environment.files->Kept(run_id, kept->entry.caller.principal,
                              kept->log_bytes + kept->archive_bytes);
    }
    if (environment.on_kept) environment.on_kept(*kept);
  }
  return {.kind = "run-directory",
          .id = run_id.value(),
          .confirmed_absent = kept.has_value(),
          .error = kept ? std::string() : kept.error().message};
}

bool IsUnanswered(const Removal& removal, Deadline deadline) {
  if (removal.confirmed_absent) return false;
  return removal.reason == "ENGINE_UNAVAILABLE" || deadline.Passed();
}

}  // namespace tidewaiter::run
