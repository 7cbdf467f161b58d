#include "broker/run/strays.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "base/printable.h"
#include "broker/run/run_events.h"
#include "broker/run/side_by_side.h"
#include "broker/run/teardown.h"

namespace tidewaiter::run {
namespace {

// A backend that is silent is given up much sooner, by its own measure. What runs ask for can make
// a list long, though: at 50 MiB/s this is enough for 6 GiB, some hundred times what is usual.
constexpr std::chrono::minutes kMostOfAListing(2);

using Key = std::pair<Resource::Kind, std::string>;

Key KeyOf(const Backend::Owned& owned) {
  return {owned.resource.kind, owned.resource.id};
}

std::set<Key> KeysOf(const std::vector<Backend::Owned>& all) {
  std::set<Key> keys;
  for (const Backend::Owned& owned : all) keys.insert(KeyOf(owned));
  return keys;
}

std::string Subject(const Key& key, const RunId& run_id) {
  return "remove stray " + std::string(ToString(key.first)) + " " + Quoted(key.second) +
         " of unknown run " + Quoted(run_id.value()) + ": ";
}

}  // namespace

Strays::Strays(const Environment& environment, std::function<bool(const RunId&)> is_known,
               std::function<bool()> any_begun)
    : environment_(environment), is_known_(std::move(is_known)), any_begun_(std::move(any_begun)) {}

void Strays::Compare(const std::stop_token& stop) {
  std::uint32_t left = 0;
  for (const auto& [name, backend] : environment_.backends) {
    if (stop.stop_requested()) return;
    const Result<std::uint32_t> here = CompareWith(name, *backend, stop);
    if (!here && stop.stop_requested()) return;
    Tell(name, here);
    left = here ? left + *here : std::max(left, left_.load());  // else nobody can tell
  }
  left_ = left;
}

void Strays::Tell(const std::string& name, const Result<std::uint32_t>& compared) {
  const bool news = compared ? silent_.erase(name) > 0 : silent_.insert(name).second;
  failing_ = !silent_.empty();
  if (!news || environment_.log == nullptr) return;
  const std::string subject = "compare what backend '" + name + "' holds with the runs: ";
  if (compared) {
    environment_.log->Write(LogLevel::kInfo, subject + "it works again");
  } else {
    environment_.log->Write(LogLevel::kWarning, subject + compared.error().message +
                                                    "; trying again, strays stay until then");
  }
}

Result<std::uint32_t> Strays::CompareWith(const std::string& name, Backend& backend,
                                          const std::stop_token& stop) {
  auto before = unknown_.find(name);
  if (before == unknown_.end()) {
    TW_ASSIGN(const Strangers first, ListUnknown(name, backend, stop));
    before = unknown_.emplace(name, KeysOf(first)).first;
    // Asked after the listing, as what is known: nothing that it shows was made or ended here.
    if (first.empty() || !any_begun_()) return RemoveAll(name, backend, first, stop);
  }
  TW_ASSIGN(Strangers strangers, ListUnknown(name, backend, stop));
  const Keys last = std::exchange(before->second, KeysOf(strangers));
  std::erase_if(strangers,
                [&](const Backend::Owned& owned) { return !last.contains(KeyOf(owned)); });
  return RemoveAll(name, backend, strangers, stop);
}

Result<Strays::Strangers> Strays::ListUnknown(const std::string& name, Backend& backend,
                                              const std::stop_token& stop) {
  TW_ASSIGN(Strangers listed,
            backend.ListOwned({.stop = stop, .deadline = Deadline::After(kMostOfAListing)}));
  SettleGone(name, listed);
  // Asked after the listing: whatever it shows was made by a run that was known by then.
  std::erase_if(listed, [this](const Backend::Owned& owned) { return is_known_(owned.run_id); });
  return listed;
}

void Strays::SettleGone(const std::string& name, const Strangers& listed) {
  const Keys there = KeysOf(listed);
  auto overdue = overdue_.Lock();
  std::erase_if((*overdue)[name], [&](const auto& one) {
    const auto& [key, run_id] = one;
    if (there.contains(key)) return false;
    const std::string what = Subject(key, run_id) + "it has gone otherwise";
    environment_.audit->AppendEventually(
        TeardownEvent(AuditEvent::Type::kTeardownSettled, run_id, what));
    if (environment_.log != nullptr) environment_.log->Write(LogLevel::kInfo, what);
    return true;
  });
}

std::uint32_t Strays::RemoveAll(const std::string& name, Backend& backend,
                                const Strangers& strangers, const std::stop_token& stop) {
  Strangers running;
  Strangers others;
  for (const Backend::Owned& owned : strangers) {
    (RunsCommand(owned.resource.kind) ? running : others).push_back(owned);
  }
  std::atomic<bool> answers = true;
  std::atomic<std::uint32_t> gone = 0;
  const auto remove = [&](const Backend::Owned& owned) {
    if (!answers || stop.stop_requested()) return;
    const Deadline deadline = Deadline::After(environment_.settings.teardown_timeout);
    const Removal removal = Remove(name, backend, owned, deadline);
    if (removal.confirmed_absent) ++gone;
    // The rest is for the next comparison.
    if (IsUnanswered(removal, deadline)) answers = false;
  };
  // A network cannot go before the containers in it, and a Job would make another pod.
  for (const Strangers* part : {&running, &others}) {
    if (part->empty()) continue;
    // One by itself: the others need not find out that the backend does not answer.
    remove(part->front());
    SideBySide(part->size() - 1, [&](std::size_t i) { remove((*part)[i + 1]); });
  }
  return static_cast<std::uint32_t>(strangers.size()) - gone;
}

Removal Strays::Remove(const std::string& name, Backend& backend, const Backend::Owned& owned,
                       Deadline deadline) {
  Removal removal = backend.Remove(owned.resource, owned.run_id, deadline);
  const std::string what =
      Subject(KeyOf(owned), owned.run_id) + (removal.confirmed_absent ? "done" : removal.error);
  auto locked = overdue_.Lock();
  std::map<Key, RunId>& overdue = (*locked)[name];
  if (removal.confirmed_absent) {
    overdue.erase(KeyOf(owned));
    environment_.audit->AppendEventually(
        TeardownEvent(AuditEvent::Type::kTeardownSettled, owned.run_id, what));
  } else if (overdue.emplace(KeyOf(owned), owned.run_id).second) {
    environment_.audit->AppendEventually(
        TeardownEvent(AuditEvent::Type::kTeardownOverdue, owned.run_id, what));
  }
  if (environment_.log != nullptr) environment_.log->Write(LogLevel::kWarning, what);
  return removal;
}

}  // namespace tidewaiter::run
