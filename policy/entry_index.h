// The entries of one repository pattern, found by version and by digest: who pins versions writes
// many entries for one repository. An entry that admits one version alone is found by it, one with
// digests by each of them, both together where it has both. What is tried one by one are ranges of
// more versions than one, and of these those alone whose digests fit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/image_entry.h"

namespace tidewaiter::policy {

// Entries are named by their place in the allowlist's array, which each function is given.
class EntryIndex {
 public:
  using Place = std::uint32_t;
  using Entries = std::vector<ImageEntry>;

  // `place` is larger than each that was added before.
  void Add(const Entries& entries, Place place);

  // Whether one entry admits the version and the digest.
  [[nodiscard]] bool Admits(const Entries& entries, const ImagePin& pin) const;

  // Those that may admit the version, each list in the order of the file: all others do not.
  void ListByVersion(const ImagePin& pin, std::vector<const std::vector<Place>*>& lists) const;

  // Whether `inside` holds for one of the entries. Only those are tried that might admit all that
  // `child` does.
  [[nodiscard]] bool AnyAround(const Entries& entries, const ImageEntry& child,
                               const std::function<bool(const ImageEntry&)>& inside) const;

 private:
  struct Precedes {
    bool operator()(const Version& a, const Version& b) const noexcept { return a.Compare(b) < 0; }
  };
  struct Bucket {
    std::vector<Place> all;
    std::vector<Place> of_any_digest;
    std::map<std::string, std::vector<Place>, std::less<>> of_digest;

    void Add(const ImageEntry& entry, Place place);
    // Whether `holds` does for a place whose entry admits the digest.
    template <typename Holds>
    [[nodiscard]] bool Any(std::string_view digest, Holds holds) const {
      if (std::any_of(of_any_digest.begin(), of_any_digest.end(), holds)) return true;
      const auto found = of_digest.find(digest);
      return found != of_digest.end() &&
             std::any_of(found->second.begin(), found->second.end(), holds);
    }
    [[nodiscard]] bool AnyOf(const ImagePin& pin) const {
      return pin.digest_counts ? Any(pin.digest, [](Place) { return true; }) : !all.empty();
    }
  };

  Bucket all_;
  std::map<Version, Bucket, Precedes> of_version_;  // entries that admit it alone
  Bucket ranged_;                                   // the others
};

}  // namespace tidewaiter::policy
