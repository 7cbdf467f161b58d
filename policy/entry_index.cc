#include "policy/entry_index.h"

namespace tidewaiter::policy {

void EntryIndex::Bucket::Add(const ImageEntry& entry, Place place) {
  all.push_back(place);
  if (entry.digests.empty()) of_any_digest.push_back(place);
  for (const std::string& digest : entry.digests) of_digest[digest].push_back(place);
}

void EntryIndex::Add(const Entries& entries, Place place) {
  const ImageEntry& entry = entries[place];
  const Version* only = entry.OnlyVersion();
  all_.Add(entry, place);
  (only != nullptr ? of_version_[*only] : ranged_).Add(entry, place);
}

bool EntryIndex::Admits(const Entries& entries, const ImagePin& pin) const {
  if (!pin.version_counts) return all_.AnyOf(pin);
  if (pin.version != nullptr) {
    const auto exact = of_version_.find(*pin.version);
    if (exact != of_version_.end() && exact->second.AnyOf(pin)) return true;
  }
  const auto admits = [&](Place place) {
    return entries[place].AdmitsVersion(pin.version, pin.tag_must_be_semver);
  };
  if (pin.digest_counts) return ranged_.Any(pin.digest, admits);
  return std::any_of(ranged_.all.begin(), ranged_.all.end(), admits);
}

void EntryIndex::ListByVersion(const ImagePin& pin,
                               std::vector<const std::vector<Place>*>& lists) const {
  if (!pin.version_counts) {
    lists.push_back(&all_.all);
    return;
  }
  if (pin.version != nullptr) {
    const auto exact = of_version_.find(*pin.version);
    if (exact != of_version_.end()) lists.push_back(&exact->second.all);
  }
  lists.push_back(&ranged_.all);
}

bool EntryIndex::AnyAround(const Entries& entries, const ImageEntry& child,
                           const std::function<bool(const ImageEntry&)>& inside) const {
  const auto holds = [&](Place place) { return inside(entries[place]); };
  const auto any = [&](const Bucket& bucket) {
    // A list of digests is inside one that has its first, at least.
    if (!child.digests.empty()) return bucket.Any(child.digests.front(), holds);
    return std::any_of(bucket.of_any_digest.begin(), bucket.of_any_digest.end(), holds);
  };
  // Several versions may still be none ("<1 >2"), or one that is written in a roundabout way.
  const Version* only = child.OnlyVersion();
  if (child.versions && only == nullptr) return any(all_);
  if (only != nullptr) {
    const auto exact = of_version_.find(*only);
    if (exact != of_version_.end() && any(exact->second)) return true;
  }
  return any(ranged_);
}

}  // namespace tidewaiter::policy
