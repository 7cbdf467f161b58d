#include "broker/docker/remover.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "broker/docker/labels.h"
#include "broker/run/pause.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::milliseconds;
using Kind = run::Resource::Kind;

constexpr milliseconds kFirstWait{20};
constexpr milliseconds kLongestWait{1000};
constexpr std::size_t kMaxUnsettled = 4096;  // lost answers are rare

std::string_view NameOf(Kind kind) {
  return kind == Kind::kContainer ? "container" : "network";
}

}  // namespace

void Remover::ExpectLater(const run::Resource& resource, Deadline given_up) {
  const Deadline until = Deadline::At(given_up.when() + settings_.settle_time);
  auto unsettled = unsettled_.Lock();
  if (unsettled->until.size() >= kMaxUnsettled) {
    std::erase_if(unsettled->until, [](const auto& entry) { return entry.second.Passed(); });
  }
  if (unsettled->until.size() >= kMaxUnsettled) {
    unsettled->others_until = Deadline::At(std::max(unsettled->others_until.when(), until.when()));
  } else {
    unsettled->until.insert_or_assign(Key(resource.kind, resource.name), until);
  }
}

bool Remover::MayStillCome(const run::Resource& resource) {
  auto unsettled = unsettled_.Lock();
  const auto found = unsettled->until.find(Key(resource.kind, resource.name));
  return !(found == unsettled->until.end() ? unsettled->others_until : found->second).Passed();
}

run::Removal Remover::Remove(const run::Resource& resource, const RunId& run_id,
                             Deadline deadline) {
  run::Removal removal;
  removal.kind = NameOf(resource.kind);
  removal.id = resource.id.empty() ? resource.name : resource.id;
  std::string id = resource.id;
  if (Result<void> removed = RemoveNow(resource, run_id, deadline, id); !removed) {
    removal.error = removed.error().message;
    removal.reason = removed.error().Reason();
  } else {
    removal.confirmed_absent = true;
  }
  if (!id.empty()) removal.id = id;
  return removal;
}

Result<void> Remover::RemoveNow(const run::Resource& resource, const RunId& run_id,
                                Deadline deadline, std::string& id) {
  const run::Patience patience{.stop = {}, .deadline = deadline};
  if (id.empty()) {
    TW_ASSIGN(id, IdOf(resource, run_id, patience));
    if (id.empty()) {
      if (!MayStillCome(resource)) return Ok();
      return Fail(ErrorCode::kUnavailable,
                  "remove " + std::string(NameOf(resource.kind)) + " " + Quoted(resource.name) +
                      ": the engine may still be creating it",
                  "STILL_CREATING");
    }
  }
  for (milliseconds wait = kFirstWait;; wait = std::min(wait * 2, kLongestWait)) {
    TW_ASSIGN(const bool removed, Delete(resource.kind, id, patience));
    TW_ASSIGN(const std::optional<Json> still, Inspect(resource.kind, id, patience));
    if (!still) break;
    if (!run::Pause(wait, patience)) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  "remove " + std::string(NameOf(resource.kind)) + " " + Quoted(id) +
                      (removed ? ": the engine still shows it" : ": the engine is still at it"));
    }
  }
  unsettled_.Lock()->until.erase(Key(resource.kind, resource.name));
  return Ok();
}

Result<std::string> Remover::IdOf(const run::Resource& resource, const RunId& run_id,
                                  const run::Patience& patience) {
  TW_ASSIGN(const std::optional<Json> found, Inspect(resource.kind, resource.name, patience));
  if (!found) return std::string();
  const bool container = resource.kind == Kind::kContainer;
  const Json& labels = container ? At(*found, {"Config", "Labels"}) : At(*found, {"Labels"});
  const std::string name = TextAt(*found, "Name");
  const bool same_name = name == (container ? "/" + resource.name : resource.name);
  if (!same_name || !BelongsTo(labels, settings_.broker_id, run_id)) return std::string();
  std::string id = TextAt(*found, "Id");
  if (!IsEngineId(id)) return InvalidAnswer("look up " + Quoted(resource.name), "no id");
  return id;
}

Result<std::optional<Json>> Remover::Inspect(Kind kind, std::string_view which,
                                             const run::Patience& patience) {
  return kind == Kind::kContainer ? api_.InspectContainer(which, patience)
                                  : api_.InspectNetwork(which, patience);
}

Result<bool> Remover::Delete(Kind kind, std::string_view id, const run::Patience& patience) {
  return kind == Kind::kContainer ? api_.DeleteContainer(id, patience)
                                  : api_.DeleteNetwork(id, patience);
}

}  // namespace tidewaiter::docker
