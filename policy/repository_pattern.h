// Which repositories an [[images.allow]] entry names: REGISTRY/SEGMENT[/SEGMENT...], compared
// segment by segment and never by string prefix ("ghcr.io/platformnetwork-evil/x" is not under
// "ghcr.io/platformnetwork/*"). A segment '*' is any one segment, a final '**' any number of them,
// none included. The registry is always literal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidewaiter::policy {

class RepositoryPattern {
 public:
  // `literal_namespace`: the first path segment must not be a wildcard (production).
  // Errors: INVALID_ARGUMENT saying what would be right.
  static Result<RepositoryPattern> Parse(std::string_view text, bool literal_namespace);

  [[nodiscard]] const std::string& registry() const noexcept { return registry_; }
  // Of the path, "*" among them, without the final "**".
  [[nodiscard]] const std::vector<std::string>& segments() const noexcept { return segments_; }
  // Whether it ends in "**".
  [[nodiscard]] bool any_below() const noexcept { return any_below_; }
  // Whether everything that this pattern names is named by `other` too.
  [[nodiscard]] bool IsSubsetOf(const RepositoryPattern& other) const noexcept;
  // As written.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
  std::string registry_;
  std::vector<std::string> segments_;  // without the final "**"
  bool any_below_ = false;
};

}  // namespace tidewaiter::policy
