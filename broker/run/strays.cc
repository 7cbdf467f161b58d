#include "broker/run/strays.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "broker/run/run_events.h"
#include "broker/run/teardown.h"

namespace tidewaiter::run {

Strays::Strays(const Environment& environment, std::function<bool(const RunId&)> is_known)
    : environment_(environment), is_known_(std::move(is_known)) {}

void Strays::Compare(const std::stop_token& stop) {
  std::set<Key> unknown;
  for (const auto& [name, backend] : environment_.backends) {
    auto listed = backend->ListOwned(Deadline::After(environment_.settings.teardown_timeout));
    if (!listed) continue;
    // A network cannot go before the containers in it.
    std::stable_partition(listed->begin(), listed->end(), [](const Backend::Owned& owned) {
      return owned.resource.kind == Resource::Kind::kContainer;
    });
    bool answers = true;
    for (const Backend::Owned& owned : *listed) {
      // Asked after the listing: whatever it shows was made by a run that was known by then.
      if (stop.stop_requested() || is_known_(owned.run_id)) continue;
      Key key(name, owned.resource.kind, owned.resource.id);
      if (answers && unknown_.contains(key)) answers = Remove(*backend, owned);
      unknown.insert(std::move(key));
    }
  }
  unknown_ = std::move(unknown);
}

bool Strays::Remove(Backend& backend, const Backend::Owned& owned) {
  const Deadline deadline = Deadline::After(environment_.settings.teardown_timeout);
  const Removal removal = backend.Remove(owned.resource, owned.run_id, deadline);
  const std::string what = "remove stray " + removal.kind + " " + Quoted(removal.id) +
                           " of unknown run " + Quoted(owned.run_id.value()) + ": " +
                           (removal.confirmed_absent ? "done" : removal.error);
  if (removal.confirmed_absent) {
    environment_.audit->AppendEventually(
        TeardownEvent(AuditEvent::Type::kTeardownSettled, owned.run_id, what));
  }
  if (environment_.log != nullptr) environment_.log->Write(LogLevel::kWarning, what);
  return !IsUnanswered(removal, deadline);
}

}  // namespace tidewaiter::run
