// Version ranges in node-semver's grammar, strict ("loose" is off and so is "includePrerelease"):
//   range   = set *( "||" set )          set = partial " - " partial / *simple
//   simple  = [ "<" / "<=" / ">" / ">=" / "=" / "~" / "~>" / "^" ] partial
//   partial = xr [ "." xr [ "." xr [ "-" prerelease ] [ "+" build ] ] ]       xr = "x" / "X" / "*"
//   / number
// White space may follow an operator, one "v" may stand before a partial.
// https://github.com/npm/node-semver#ranges A pre-release matches a set only where a comparator of
// that set names a pre-release of the same MAJOR.MINOR.PATCH; where one set is "*", or any other
// that matches every release, the others and the pre-releases that they name are void. Parsed once,
// when the policy is loaded; matching allocates nothing. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/version.h"

namespace tidewaiter::policy {

// The conjunction of comparators, kept as the one interval that they leave and the tuples whose
// pre-releases count.
class ComparatorSet {
 public:
  enum class Operator { kLess, kLessEqual, kGreater, kGreaterEqual, kEqual };

  void Add(Operator op, Version version);
  // Matches nothing from now on.
  void Close();

  [[nodiscard]] bool Matches(const Version& version) const noexcept;
  // Whether it matches every release and no pre-release, as "*" does.
  [[nodiscard]] bool IsAny() const noexcept;
  // An equal set whose interval says more: what IsSubsetOf compares.
  [[nodiscard]] ComparatorSet Simplified() const;
  // Whether everything that this set matches is matched by `outer` too, both of them Simplified.
  // Never true wrongly; where one version of a thousand decides it may be false wrongly. Allocates
  // nothing: a file may ask it of every two of thousands of entries.
  [[nodiscard]] bool IsSubsetOf(const ComparatorSet& outer) const noexcept;
  // The one version that this set matches, or null where it has no bounds or several are inside.
  [[nodiscard]] const Version* Only() const noexcept;

 private:
  struct Bound {
    Version version;
    bool inclusive = false;
  };

  [[nodiscard]] bool Empty() const noexcept;
  [[nodiscard]] bool NamesTuple(const Version& version) const noexcept;

  std::optional<Bound> lower_;
  std::optional<Bound> upper_;
  std::vector<Version> prerelease_tuples_;
  bool closed_ = false;
};

class VersionRange {
 public:
  // Errors: INVALID_ARGUMENT naming the part that is wrong. At most 1,024 bytes.
  static Result<VersionRange> Parse(std::string_view text);

  [[nodiscard]] bool Matches(const Version& version) const noexcept;
  // Whether each of this range's sets is inside one of the other's. Sound, not complete: a set that
  // only a union of the other's sets covers counts as outside.
  [[nodiscard]] bool IsSubsetOf(const VersionRange& other) const noexcept;
  // The one version that the range matches, build metadata aside; null where that is not plain from
  // a single set ("=1.2.3", "1.2.3").
  [[nodiscard]] const Version* Only() const noexcept {
    return sets_.size() == 1 ? sets_.front().Only() : nullptr;
  }
  // As written.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
  std::vector<ComparatorSet> sets_;
  std::vector<ComparatorSet> simplified_;  // each of them
};

}  // namespace tidewaiter::policy
