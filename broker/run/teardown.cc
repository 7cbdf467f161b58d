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

bool IsUnanswered(const Removal& removal, Deadline deadline) {
  if (removal.confirmed_absent) return false;
  return removal.reason == "ENGINE_UNAVAILABLE" || deadline.Passed();
}

}  // namespace tidewaiter::run
