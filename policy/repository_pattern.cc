#include "policy/repository_pattern.h"

#include <fmt/format.h>

#include "base/printable.h"
#include "policy/repository_name.h"

namespace tidewaiter::policy {
namespace {

Error Invalid(std::string_view text, std::string_view right) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("parse repository {}: {}", Quoted(text), right));
}

}  // namespace

Result<RepositoryPattern> RepositoryPattern::Parse(std::string_view text, bool literal_namespace) {
  if (text.size() > kMaxImageName) return Invalid(text, "at most 255 bytes");
  const std::size_t slash = text.find('/');
  const std::string_view registry = text.substr(0, slash);
  if (slash == std::string_view::npos || !IsRegistryName(registry) ||
      (registry.find_first_of(".:") == std::string_view::npos && registry != "localhost")) {
    return Invalid(text,
                   "the registry's host in lower case without wildcards, with its port if it has "
                   "one, then '/' and the path, as in 'ghcr.io/team/*'");
  }
  if (registry == "index.docker.io") return Invalid(text, "Docker Hub is written 'docker.io'");
  RepositoryPattern pattern;
  pattern.text_ = text;
  pattern.registry_ = registry;
  std::string_view rest = text.substr(slash + 1);
  bool more = true;
  while (more) {
    const std::size_t end = rest.find('/');
    const std::string_view segment = rest.substr(0, end);
    more = end != std::string_view::npos;
    const bool first = pattern.segments_.empty();
    if (segment == "**") {
      if (more) return Invalid(text, "'**' may stand only at the end");
      if (first && literal_namespace) {
        return Invalid(text, "in production the first path segment is literal");
      }
      pattern.any_below_ = true;
      return pattern;
    }
    if (segment == "*") {
      if (first && literal_namespace) {
        return Invalid(text, "in production the first path segment is literal");
      }
    } else if (!IsPathSegment(segment)) {
      return Invalid(text,
                     "lower-case path segments, where '*' stands for one whole segment and a final "
                     "'**' for any number; no tag, no digest");
    }
    pattern.segments_.emplace_back(segment);
    if (more) rest.remove_prefix(end + 1);
  }
  if (registry == "docker.io" && pattern.segments_.size() == 1) {
    return Invalid(text, fmt::format("Docker Hub's own images are 'docker.io/library/{}'",
                                     pattern.segments_.front()));
  }
  return pattern;
}

bool RepositoryPattern::IsSubsetOf(const RepositoryPattern& other) const noexcept {
  if (registry_ != other.registry_ || segments_.size() < other.segments_.size()) return false;
  if (!other.any_below_ && (any_below_ || segments_.size() != other.segments_.size())) return false;
  for (std::size_t i = 0; i < other.segments_.size(); ++i) {
    if (other.segments_[i] != "*" && other.segments_[i] != segments_[i]) return false;
  }
  return true;
}

}  // namespace tidewaiter::policy
