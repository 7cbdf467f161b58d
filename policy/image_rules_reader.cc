#include <fmt/format.h>

#include <algorithm>

#include "base/printable.h"
#include "policy/image_reference.h"
#include "policy/rules_reader.h"

namespace tidewaiter::policy {
namespace {

// "semver"/"any" and "required"/"optional": the first is strict, the second for development.
void ReadStrictness(TomlTable& images, std::string_view key, std::string_view strict,
                    std::string_view loose, const RulesContext& context, bool& is_strict) {
  const auto value = images.String(key);
  if (!value) return;
  if (*value != strict && *value != loose) {
    images.Problem(key, KeyProblem(images, key,
                                   fmt::format("{}: \"{}\", or \"{}\" in development mode",
                                               Quoted(*value), strict, loose)));
    return;
  }
  const bool read = *value == strict;
  if (!read && !context.development) {
    images.Problem(
        key, KeyProblem(images, key, fmt::format("\"{}\" in production: \"{}\"", loose, strict)));
  } else if (!read && context.parent != nullptr && is_strict) {
    images.Problem(key, Loosens(images, key, context, fmt::format("\"{}\"", strict)));
  }
  is_strict = read;
}

std::optional<ImageEntry> ReadEntry(TomlTable& table, const RulesContext& context) {
  const std::string repository = table.RequiredString("repository");
  const auto versions = table.String("versions");
  const auto digests = table.Strings("digests");
  std::optional<ImageEntry> entry;
  if (!repository.empty()) {
    if (auto pattern = RepositoryPattern::Parse(repository, !context.development)) {
      entry = ImageEntry{*std::move(pattern), std::nullopt, {}};
    } else {
      table.Problem("repository", pattern.error().message);
    }
  } else if (table.Has("repository")) {
    table.Problem("repository", KeyProblem(table, "repository", "empty: as in \"ghcr.io/team/*\""));
  }
  if (versions) {
    auto range = VersionRange::Parse(*versions);
    if (!range) table.Problem("versions", range.error().message);
    if (range && entry) entry->versions = *std::move(range);
  }
  if (!digests) return entry;
  for (std::size_t i = 0; i < digests->size(); ++i) {
    if (!IsDigest((*digests)[i])) {
      table.ElementProblem("digests", i,
                           fmt::format("'{}.digests[{}]' is {}: \"sha256:\" and 64 lower-case "
                                       "hexadecimal digits, or \"sha512:\" and 128",
                                       table.path(), i, Quoted((*digests)[i])));
    }
  }
  if (entry) {
    entry->digests = *digests;
    std::sort(entry->digests.begin(), entry->digests.end());
  }
  return entry;
}

// Whether the versions that `child` admits are admitted by `parent`, where the tag must be a
// version in the child's policy or in none.
bool VersionsInside(const ImageEntry& child, bool child_semver, const ImageEntry& parent,
                    bool parent_semver) {
  if (!parent.versions && !parent_semver) return true;  // any tag at all
  if (!child.versions && !child_semver) return false;  // any tag at all, and the parent is narrower
  static const VersionRange kReleases = *VersionRange::Parse("*");
  const VersionRange& inner = child.versions ? *child.versions : kReleases;
  const VersionRange& outer = parent.versions ? *parent.versions : kReleases;
  return inner.IsSubsetOf(outer);
}

bool DigestsInside(const ImageEntry& child, const ImageEntry& parent) {
  return parent.digests.empty() ||
         (!child.digests.empty() && std::includes(parent.digests.begin(), parent.digests.end(),
                                                  child.digests.begin(), child.digests.end()));
}

bool InsideAny(const ImageEntry& child, bool child_semver, const Rules& parent) {
  return parent.images->AnyAround(child, [&](const ImageEntry& entry) {
    return DigestsInside(child, entry) &&
           VersionsInside(child, child_semver, entry, parent.tag_must_be_semver);
  });
}

}  // namespace

void ReadImageRules(TomlTable& table, const RulesContext& context, Rules& rules) {
  auto images = table.Table("images");
  if (!images) return;
  ReadStrictness(*images, "tag", "semver", "any", context, rules.tag_must_be_semver);
  ReadStrictness(*images, "digest", "required", "optional", context, rules.digest_required);
  const auto verify = images->Bool("verify_tag");
  if (verify && !*verify && context.parent != nullptr && rules.verify_tag) {
    images->Problem("verify_tag", Loosens(*images, "verify_tag", context, "true"));
  }
  rules.verify_tag = verify.value_or(rules.verify_tag);
  if (!images->Has("allow")) return;
  ImageAllowlist list;
  for (TomlTable& element : images->Tables("allow")) {
    auto entry = ReadEntry(element, context);
    if (!entry) continue;
    if (context.parent != nullptr &&
        !InsideAny(*entry, rules.tag_must_be_semver, *context.parent)) {
      element.Problem("repository",
                      fmt::format("'{}' loosens policy '{}': a repository, versions and digests "
                                  "inside one [[images.allow]] entry of that policy",
                                  element.path(), context.parent_name));
      continue;
    }
    list.Add(*std::move(entry));
  }
  rules.images = std::move(list);
}

}  // namespace tidewaiter::policy
