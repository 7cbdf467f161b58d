// Every way to tighten one field of a policy.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/policy/random_policy.h"

namespace tidewaiter::policy {

struct Tightening {
  // How a run shows that the two policies differ.
  enum class Shows {
    kDenied,     // the tighter one denies what the other admits
    kEffective,  // both admit it; what is enforced is tighter
    kLoad,       // the file says what the tighter mode forbids, and does not load
  };

  std::string name;
  Shows shows;
  // Whether this policy has something to tighten.
  std::function<bool(RandomSource&, PolicyDraft&)> apply;
  // Makes a run say what the field is about; null: its image does.
  Departure asks = nullptr;
};

namespace tightening {

using Shows = Tightening::Shows;

// Takes one element out; one of `keep` at least is left.
inline bool DropOne(RandomSource& random, std::optional<Names>& names, std::size_t keep = 0) {
  if (!names || names->size() <= keep) return false;
  names->erase(names->begin() + static_cast<std::ptrdiff_t>(random.Below(names->size())));
  return true;
}

template <typename T>
bool Turn(std::optional<T>& value, const T& from, const T& to) {
  if (value != from) return false;
  value = to;
  return true;
}

inline Tightening OfLimitMax(std::size_t index) {
  return {"max of limits." + std::string(kLimits[index].key), Shows::kDenied,
          [index](RandomSource& random, PolicyDraft& policy) {
            const LimitInfo& info = kLimits[index];
            DraftLimit& limit = policy.limits[index];
            const std::int64_t max = limit.max.value_or(info.built_in_max);
            if (max <= info.smallest) return false;
            limit.max = random.Pick<std::int64_t>(
                {info.smallest, info.smallest + (max - info.smallest) / 2, max - 1});
            if (limit.default_value) {
              limit.default_value = std::min(*limit.default_value, *limit.max);
            }
            return true;
          },
          departure::SomeLimits};
}

// Whether a run is admitted does not depend on it: a default is never above its maximum.
inline Tightening OfLimitDefault(std::size_t index) {
  return {"default of limits." + std::string(kLimits[index].key), Shows::kEffective,
          [index](RandomSource&, PolicyDraft& policy) {
            const LimitInfo& info = kLimits[index];
            DraftLimit& limit = policy.limits[index];
            const std::int64_t max = limit.max.value_or(info.built_in_max);
            const std::int64_t now =
                limit.default_value.value_or(std::min(info.built_in_default, max));
            if (now <= info.smallest) return false;
            limit.default_value = info.smallest + (now - info.smallest) / 2;
            return true;
          }};
}

// Of an entry that `apply` has something to tighten of.
template <typename Apply>
std::function<bool(RandomSource&, PolicyDraft&)> InOneEntry(Apply apply) {
  return [apply](RandomSource& random, PolicyDraft& policy) {
    return !policy.images.empty() &&
           apply(random, policy.images[random.Below(policy.images.size())]);
  };
}

inline std::vector<std::string> Alternatives(const std::string& range) {
  std::vector<std::string> sets;
  std::size_t begin = 0;
  while (true) {
    const std::size_t bars = range.find("||", begin);
    sets.push_back(range.substr(begin, bars - begin));
    if (bars == std::string::npos) return sets;
    begin = bars + 2;
  }
}

inline std::string Joined(const std::vector<std::string>& sets) {
  std::string range = sets.front();
  for (std::size_t i = 1; i < sets.size(); ++i) range += "||" + sets[i];
  return range;
}

// A comparator more in each alternative. One that names a pre-release would admit more (the rule
// of node-semver), and a hyphen range takes none beside it.
inline bool NarrowVersions(RandomSource& random, DraftEntry& entry) {
  if (!entry.versions || entry.versions->find(" - ") != std::string::npos) return false;
  std::vector<std::string> sets = Alternatives(*entry.versions);
  const std::string comparator = random.Text({" <1.3.0", " >1.2.3", " 1.x", " <=1.2.3", " >2"});
  for (std::string& set : sets) set += comparator;
  entry.versions = Joined(sets);
  return true;
}

inline bool DropAlternative(RandomSource& random, DraftEntry& entry) {
  if (!entry.versions) return false;
  std::vector<std::string> sets = Alternatives(*entry.versions);
  if (sets.size() < 2) return false;
  sets.erase(sets.begin() + static_cast<std::ptrdiff_t>(random.Below(sets.size())));
  entry.versions = Joined(sets);
  return true;
}

// Without `versions` every release is admitted and, where tags need be no versions, every tag.
inline bool AddVersions(RandomSource& random, DraftEntry& entry) {
  if (entry.versions) return false;
  entry.versions = random.Text({"1.x", ">=1.2.4", "^1.3 || 3.x", "1.2.3 - 1.2.9"});
  return true;
}

inline bool AddDigests(RandomSource& random, DraftEntry& entry) {
  if (!entry.digests.empty()) return false;
  entry.digests = {RandomDigest(random)};
  return true;
}

// The last one stays: an empty list admits any digest.
inline bool DropDigest(RandomSource& random, DraftEntry& entry) {
  if (entry.digests.size() < 2) return false;
  entry.digests.erase(entry.digests.begin() +
                      static_cast<std::ptrdiff_t>(random.Below(entry.digests.size())));
  return true;
}

inline bool NarrowRepository(RandomSource& random, DraftEntry& entry) {
  std::string& repository = entry.repository;
  if (repository.ends_with("/**")) {
    repository.replace(repository.size() - 3, 3, random.Text({"/*", "/a", "/sub/**", "/*/a"}));
    return true;
  }
  if (!repository.ends_with("/*")) return false;
  repository.back() = 'b';
  return true;
}

inline bool NarrowBind(RandomSource& random, PolicyDraft& policy) {
  if (!policy.binds || policy.binds->empty()) return false;
  policy.binds->at(random.Below(policy.binds->size())) += random.Text({"/b", "/x"});
  return true;
}

inline bool DropEntry(RandomSource& random, PolicyDraft& policy) {
  if (policy.images.empty()) return false;
  policy.images.erase(policy.images.begin() +
                      static_cast<std::ptrdiff_t>(random.Below(policy.images.size())));
  return true;
}

}  // namespace tightening

inline std::vector<Tightening> MakeTightenings() {
  using namespace tightening;
  using Draft = PolicyDraft;
  using Random = RandomSource;
  std::vector<Tightening> all{
      {"mode", Shows::kLoad,
       [](Random&, Draft& p) { return Turn<std::string>(p.mode, "development", "production"); }},
      {"images.tag", Shows::kDenied,
       [](Random&, Draft& p) { return Turn<std::string>(p.tag, "any", "semver"); }},
      {"images.digest", Shows::kDenied,
       [](Random&, Draft& p) { return Turn<std::string>(p.digest, "optional", "required"); }},
      {"images.verify_tag", Shows::kEffective,
       [](Random&, Draft& p) { return Turn(p.verify_tag, false, true); }},
      {"an entry of images.allow", Shows::kDenied, DropEntry},
      {"repository narrowed", Shows::kDenied, InOneEntry(NarrowRepository)},
      {"versions added", Shows::kDenied, InOneEntry(AddVersions)},
      {"versions narrowed", Shows::kDenied, InOneEntry(NarrowVersions)},
      {"an alternative of versions", Shows::kDenied, InOneEntry(DropAlternative)},
      {"digests added", Shows::kDenied, InOneEntry(AddDigests)},
      {"a digest", Shows::kDenied, InOneEntry(DropDigest)},
      {"an entry of mounts.allow", Shows::kDenied,
       [](Random& random, Draft& p) { return DropOne(random, p.binds); }, departure::OneMount},
      {"an entry of mounts.allow narrowed", Shows::kDenied, NarrowBind, departure::OneMount},
      {"mounts.writable", Shows::kDenied,
       [](Random&, Draft& p) { return Turn(p.writable, true, false); }, departure::OneMount},
      {"network.modes", Shows::kDenied,
       [](Random& random, Draft& p) { return DropOne(random, p.modes, 1); }, departure::Network},
      {"capabilities.allow", Shows::kDenied,
       [](Random& random, Draft& p) { return DropOne(random, p.capabilities); },
       departure::Capabilities},
      {"user.allow_root", Shows::kDenied,
       [](Random&, Draft& p) { return Turn(p.allow_root, true, false); }, departure::User},
      {"rootfs.allow_writable", Shows::kDenied,
       [](Random&, Draft& p) { return Turn(p.allow_writable, true, false); }, departure::Rootfs},
      {"runtimes.allow", Shows::kDenied,
       [](Random& random, Draft& p) { return DropOne(random, p.runtimes); }, departure::Runtime},
      {"seccomp.allow", Shows::kDenied,
       [](Random& random, Draft& p) { return DropOne(random, p.seccomp); }, departure::Seccomp},
  };
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    all.push_back(OfLimitMax(i));
    all.push_back(OfLimitDefault(i));
  }
  return all;
}

inline const std::vector<Tightening>& AllTightenings() {
  static const std::vector<Tightening> kAll = MakeTightenings();
  return kAll;
}

}  // namespace tidewaiter::policy
