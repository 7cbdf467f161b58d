// The image's part of a decision, held against a plain loop over all entries: the rule as
// docs/POLICY.md states it, text by text.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/printable.h"
#include "policy/image_reference.h"
#include "tests/unit/policy/policy_fixture.h"
#include "tests/unit/policy/random_policy.h"

namespace tidewaiter::policy {
namespace {

struct Entry {
  std::string pattern;
  RepositoryPattern repository;
  std::optional<VersionRange> versions;
  Names digests;
};

struct File {
  bool semver = true;
  bool digest_required = true;
  std::vector<Entry> entries;
  std::string toml;
};

// Some of them many times, as who pins versions writes them.
std::string RandomVersion(RandomSource& random) {
  return random.Text({"1.2.3", "1.2.4", "0.0.0", "1.2.3-rc.1", "2.0.0", "1.2.3-rc.0"});
}

std::optional<std::string> RandomRange(RandomSource& random) {
  if (random.Chance(20)) return std::nullopt;
  if (random.Chance(60)) {
    return random.Text({"", "=", "= ", "v", "=v"}) + RandomVersion(random) +
           random.Text({"", "", "+build.7"});
  }
  return random.Text({"*", "1.x", "^1.2", "<=1.2.3 >=1.2.3", "1.2.3 - 1.2.3", ">1.2.3 <=1.2.3",
                      "1.2.3 || 1.2.4", "<0.0.0", ">*", ">=1.2.3-rc.0", "1.2.3 1.2.3",
                      "1.2.3-rc.1 1.2.3", "<0.0.1", "<=0.0.0"});
}

Names RandomDigests(RandomSource& random) {
  Names digests;
  while (random.Chance(50) && digests.size() < 12) {
    digests.push_back("sha256:" + std::string(64, static_cast<char>('a' + random.Below(6))));
  }
  return digests;
}

File RandomFile(RandomSource& random) {
  File file;
  file.semver = random.Chance(60);
  file.digest_required = random.Chance(60);
  file.toml =
      fmt::format("version = 1\nmode = \"development\"\n[images]\ntag = \"{}\"\ndigest = \"{}\"\n",
                  file.semver ? "semver" : "any", file.digest_required ? "required" : "optional");
  for (std::size_t i = random.Below(30); i > 0; --i) {
    const std::string pattern =
        random.Text({"ghcr.io/t/a", "ghcr.io/t/a", "ghcr.io/t/b", "ghcr.io/t/*", "ghcr.io/*/a",
                     "ghcr.io/t/**", "ghcr.io/t/a/**", "ghcr.io/**", "quay.io/t/a"});
    const DraftEntry draft{pattern, RandomRange(random), RandomDigests(random)};
    file.toml += fmt::format("[[images.allow]]\nrepository = \"{}\"\n", pattern) +
                 draft::Key("versions", draft.versions);
    if (!draft.digests.empty()) file.toml += "digests = " + draft::Text(draft.digests) + "\n";
    Entry entry{pattern, *RepositoryPattern::Parse(pattern, false), std::nullopt, draft.digests};
    if (draft.versions) entry.versions = *VersionRange::Parse(*draft.versions);
    std::sort(entry.digests.begin(), entry.digests.end());  // as remedies list them
    file.entries.push_back(std::move(entry));
  }
  return file;
}

std::string ImageNearby(RandomSource& random) {
  std::string image = random.Text({"ghcr.io/t/a", "ghcr.io/t/a", "ghcr.io/t/b", "ghcr.io/u/a",
                                   "ghcr.io/t/a/x", "ghcr.io/u/v", "quay.io/t/b"});
  if (random.Chance(85)) {
    image += ":" + (random.Chance(85) ? random.Text({"", "v"}) + RandomVersion(random)
                                      : random.Text({"latest", "1.2.3_b", "3.0.0", "nightly"}));
  }
  if (random.Chance(85)) {
    image += "@sha256:" + std::string(64, static_cast<char>('a' + random.Below(6)));
  }
  return image;
}

bool VersionFits(const File& file, const Entry& entry, const std::optional<Version>& version) {
  if (!version && file.semver) return true;  // told by a rule of its own
  if (entry.versions) return version && entry.versions->Matches(*version);
  return !file.semver || version->prerelease.empty();
}

bool DigestFits(const File& file, const Entry& entry, const std::string& digest) {
  if (digest.empty() && file.digest_required) return true;  // told by a rule of its own
  return entry.digests.empty() ||
         std::find(entry.digests.begin(), entry.digests.end(), digest) != entry.digests.end();
}

// The texts joined by `between` until they are more than 400 bytes; `last` counts the text that
// passes them.
std::string Listed(const Names& texts, std::string_view between, bool last) {
  std::string list;
  for (const std::string& text : texts) {
    if (!last && list.size() > 400) return list + " ...";
    if (!list.empty()) list += between;
    list += text;
    if (last && list.size() > 400) return list + " ...";
  }
  return list;
}

std::string Remedy(const std::vector<const Entry*>& entries, bool digests) {
  Names texts;
  for (const Entry* entry : entries) {
    if (digests) {
      texts.insert(texts.end(), entry->digests.begin(), entry->digests.end());
    } else {
      texts.push_back(entry->versions ? entry->versions->text()
                                      : "any release that is no pre-release");
    }
  }
  return digests ? Listed(texts, ", ", false) : Listed(texts, " || ", true);
}

// "rule: message: remedy" of each violation that comes of the entries.
Names Expected(const File& file, const ImageReference& image) {
  const auto version = ParseTagVersion(image.tag);
  const auto asked = RepositoryPattern::Parse(image.Name(), false);
  std::vector<const Entry*> named;
  std::vector<const Entry*> fitting;
  bool digest_fits = false;
  for (const Entry& entry : file.entries) {
    if (!asked->IsSubsetOf(entry.repository)) continue;
    named.push_back(&entry);
    const bool version_fits = VersionFits(file, entry, version);
    const bool fits = DigestFits(file, entry, image.digest);
    if (version_fits && fits) return {};
    if (version_fits) fitting.push_back(&entry);
    digest_fits = digest_fits || fits;
  }
  const std::string name = Quoted(image.Name());
  if (named.empty())
    return {"image.repository-not-allowed: repository " + name + " is not allowed"};
  Names expected;
  if (fitting.empty()) {
    expected.push_back(fmt::format(
        "image.version-not-allowed: {} of {} is not an admitted version: {}",
        image.tag.empty() ? "no tag" : "tag " + Quoted(image.tag), name, Remedy(named, false)));
  }
  if (!digest_fits || !fitting.empty()) {
    expected.push_back(fmt::format("image.digest-not-allowed: {} of {} is not admitted{}: {}",
                                   image.digest.empty() ? "no digest" : "digest " + image.digest,
                                   name, digest_fits ? " together with its version" : "",
                                   Remedy(fitting.empty() ? named : fitting, true)));
  }
  return expected;
}

Names Told(const Policy& policy, const std::string& image) {
  RunSpec spec;
  spec.image = image;
  Names told;
  const Decision decision = Evaluate(policy, spec, FakeHostPaths());
  for (const Violation& each : decision.violations()) {
    if (!each.rule.ends_with("-not-allowed")) continue;
    told.push_back(each.rule + ": " + each.message);
    if (each.rule != "image.repository-not-allowed") told.back() += ": " + each.remedy;
  }
  return told;
}

TEST(ImageDecision, IsThatOfALoopOverAllEntriesWordByWord) {
  RandomSource random(20261002);
  std::map<std::size_t, int> violations;
  for (int round = 0; round < 100; ++round) {
    const File file = RandomFile(random);
    const auto set = LoadSet(file.toml);
    ASSERT_NE(set, nullptr) << file.toml;
    for (int i = 0; i < 60; ++i) {
      const std::string image = ImageNearby(random);
      const Names expected = Expected(file, *ParseImageReference(image));
      ASSERT_EQ(Told(*set->Find("default"), image), expected) << image << "\n" << file.toml;
      ++violations[expected.size()];
    }
  }
  EXPECT_GT(violations[0], 1000);
  EXPECT_GT(violations[1], 1000);
  EXPECT_GT(violations[2], 60);
}

// Whether a child of one entry loads.
bool Loads(const File& parent, const DraftEntry& child) {
  std::string toml = parent.toml + "[policy.c]\ninherits = \"default\"\n";
  toml += fmt::format("[[policy.c.images.allow]]\nrepository = \"{}\"\n", child.repository) +
          draft::Key("versions", child.versions);
  if (!child.digests.empty()) toml += "digests = " + draft::Text(child.digests) + "\n";
  return PolicySet::Parse(toml, "policy.toml").has_value();
}

bool InsideOne(const File& parent, const DraftEntry& child) {
  const auto repository = *RepositoryPattern::Parse(child.repository, false);
  const auto range = VersionRange::Parse(child.versions.value_or("*"));
  return std::any_of(parent.entries.begin(), parent.entries.end(), [&](const Entry& entry) {
    if (!repository.IsSubsetOf(entry.repository)) return false;
    if (!entry.digests.empty() &&
        (child.digests.empty() ||
         !std::all_of(child.digests.begin(), child.digests.end(), [&](const std::string& digest) {
           return std::find(entry.digests.begin(), entry.digests.end(), digest) !=
                  entry.digests.end();
         }))) {
      return false;
    }
    if (!entry.versions && !parent.semver) return true;
    if (!child.versions && !parent.semver) return false;
    return range->IsSubsetOf(entry.versions ? *entry.versions : *VersionRange::Parse("*"));
  });
}

TEST(ImageDecision, AChildsEntryIsHeldAgainstEveryEntryOfItsParent) {
  RandomSource random(20261003);
  int loaded = 0;
  int refused = 0;
  for (int round = 0; round < 400; ++round) {
    const File parent = RandomFile(random);
    Names digests = RandomDigests(random);
    std::sort(digests.begin(), digests.end());
    digests.erase(std::unique(digests.begin(), digests.end()), digests.end());
    const DraftEntry child{random.Text({"ghcr.io/t/a", "ghcr.io/t/*", "ghcr.io/t/a/**"}),
                           RandomRange(random), digests};
    const bool loads = Loads(parent, child);
    ASSERT_EQ(loads, InsideOne(parent, child))
        << parent.toml << child.repository << " " << child.versions.value_or("none");
    ++(loads ? loaded : refused);
  }
  EXPECT_GT(loaded, 40);
  EXPECT_GT(refused, 40);
}

}  // namespace
}  // namespace tidewaiter::policy
