#include <algorithm>
#include <utility>

#include "policy/version_range.h"

namespace tidewaiter::policy {
namespace {

Version WithPrerelease(const Version& version, std::string prerelease) {
  return {version.major, version.minor, version.patch, std::move(prerelease), {}};
}

}  // namespace

void ComparatorSet::Add(Operator op, Version version) {
  if (!version.prerelease.empty()) prerelease_tuples_.push_back(version);
  const bool inclusive = op != Operator::kLess && op != Operator::kGreater;
  if (op != Operator::kLess && op != Operator::kLessEqual) {
    const auto order = lower_ ? version.Compare(lower_->version) : std::strong_ordering::greater;
    if (order > 0 || (order == 0 && !inclusive)) lower_ = Bound{version, inclusive};
  }
  if (op != Operator::kGreater && op != Operator::kGreaterEqual) {
    const auto order = upper_ ? version.Compare(upper_->version) : std::strong_ordering::less;
    if (order < 0 || (order == 0 && !inclusive)) upper_ = Bound{std::move(version), inclusive};
  }
}

void ComparatorSet::Close() {
  closed_ = true;
}

bool ComparatorSet::NamesTuple(const Version& version) const noexcept {
  return std::any_of(prerelease_tuples_.begin(), prerelease_tuples_.end(),
                     [&](const Version& named) { return named.SameTuple(version); });
}

bool ComparatorSet::Matches(const Version& version) const noexcept {
  if (closed_) return false;
  if (lower_) {
    const auto order = version.Compare(lower_->version);
    if (order < 0 || (order == 0 && !lower_->inclusive)) return false;
  }
  if (upper_) {
    const auto order = version.Compare(upper_->version);
    if (order > 0 || (order == 0 && !upper_->inclusive)) return false;
  }
  return version.prerelease.empty() || NamesTuple(version);
}

const Version* ComparatorSet::Only() const noexcept {
  if (closed_ || !lower_ || !upper_ || !lower_->inclusive || !upper_->inclusive) return nullptr;
  // A bound that is a pre-release names its own tuple, so that it is matched.
  return lower_->version.Compare(upper_->version) == 0 ? &lower_->version : nullptr;
}

bool ComparatorSet::IsAny() const noexcept {
  return !closed_ && !upper_ && prerelease_tuples_.empty() &&
         (!lower_ || (lower_->inclusive && lower_->version.Compare(Version()) == 0));
}

bool ComparatorSet::Empty() const noexcept {
  if (closed_) return true;
  if (!lower_ || !upper_) return false;
  const auto order = lower_->version.Compare(upper_->version);
  return order > 0 || (order == 0 && !(lower_->inclusive && upper_->inclusive));
}

// X-ranges give "<2.0.0-0" where a person writes "<2.0.0";
// without a comparator that names a pre-release of 2.0.0 they mean the same, and "<2.0.0-0" itself
// names none that is inside.
ComparatorSet ComparatorSet::Simplified() const {
  ComparatorSet simple = *this;
  std::erase_if(simple.prerelease_tuples_, [this](const Version& tuple) {
    if (lower_ && lower_->version.Compare(WithPrerelease(tuple, "")) >= 0) return true;
    if (!upper_) return false;
    const auto order = upper_->version.Compare(WithPrerelease(tuple, "0"));
    return order < 0 || (order == 0 && !upper_->inclusive);
  });
  if (simple.upper_ && !simple.upper_->inclusive && simple.upper_->version.prerelease.empty() &&
      !simple.NamesTuple(simple.upper_->version)) {
    simple.upper_->version.prerelease = "0";
  }
  const Version zero;
  if (simple.lower_ && simple.lower_->inclusive && simple.lower_->version.Compare(zero) == 0 &&
      !simple.NamesTuple(zero)) {
    simple.lower_.reset();
  }
  return simple;
}

bool ComparatorSet::IsSubsetOf(const ComparatorSet& outer) const noexcept {
  const ComparatorSet& inner = *this;
  if (inner.Empty()) return true;
  if (outer.closed_) return false;
  if (outer.lower_) {
    if (!inner.lower_) return false;
    const auto order = inner.lower_->version.Compare(outer.lower_->version);
    if (order < 0) return false;
    if (order == 0 && inner.lower_->inclusive && !outer.lower_->inclusive) return false;
  }
  if (outer.upper_) {
    if (!inner.upper_) return false;
    const auto order = inner.upper_->version.Compare(outer.upper_->version);
    if (order > 0) return false;
    if (order == 0 && inner.upper_->inclusive && !outer.upper_->inclusive) return false;
  }
  return std::all_of(inner.prerelease_tuples_.begin(), inner.prerelease_tuples_.end(),
                     [&](const Version& tuple) { return outer.NamesTuple(tuple); });
}

}  // namespace tidewaiter::policy
