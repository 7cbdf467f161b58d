#include "policy/version_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::policy {
namespace {

using Operator = ComparatorSet::Operator;

constexpr std::size_t kMaxRangeLength = 1024;

// A version whose last numbers may be missing or wildcards; a qualifier after a wildcard does not
// count.
struct Partial {
  std::optional<std::uint64_t> major;
  std::optional<std::uint64_t> minor;
  std::optional<std::uint64_t> patch;
  std::string prerelease;

  [[nodiscard]] Version Floor() const {
    return {major.value_or(0),
            minor.value_or(0),
            patch.value_or(0),
            patch ? prerelease : std::string(),
            {}};
  }
};

bool IsSpace(char c) noexcept {
  return c == ' ' || c == '\t';
}

bool IsWildcard(std::string_view text) noexcept {
  return text == "x" || text == "X" || text == "*";
}

std::optional<Partial> ParsePartial(std::string_view text) {
  if (text.size() > kMaxVersionLength) return std::nullopt;
  if (!text.empty() && text.front() == 'v') text.remove_prefix(1);
  Partial partial;
  bool qualified = false;
  if (const std::size_t plus = text.find('+'); plus != std::string_view::npos) {
    if (!IsBuildMetadata(text.substr(plus + 1))) return std::nullopt;
    text = text.substr(0, plus);
    qualified = true;
  }
  if (const std::size_t minus = text.find('-'); minus != std::string_view::npos) {
    if (!IsPrerelease(text.substr(minus + 1))) return std::nullopt;
    partial.prerelease = text.substr(minus + 1);
    text = text.substr(0, minus);
    qualified = true;
  }
  bool wild = false;
  std::size_t count = 0;
  for (auto* number : {&partial.major, &partial.minor, &partial.patch}) {
    const std::size_t dot = text.find('.');
    const std::string_view word = text.substr(0, dot);
    ++count;
    if (IsWildcard(word)) {
      wild = true;
    } else {
      const auto value = ParseVersionNumber(word);
      // A number after a wildcard ("1.x.3") would be read past; node-semver refuses it since 7.7.
      if (!value || wild) return std::nullopt;
      *number = value;
    }
    if (dot == std::string_view::npos) {
      text = {};
      break;
    }
    text.remove_prefix(dot + 1);
    if (count == 3) return std::nullopt;
    if (text.empty()) return std::nullopt;
  }
  if (qualified && count < 3) return std::nullopt;
  return partial;
}

// The first version of the next major, minor or patch: MAJOR+1.0.0-0 and so on. False where a
// number overflows.
bool AddBelowNextMajor(ComparatorSet& set, const Partial& from) {
  if (*from.major >= kMaxVersionNumber) return false;
  set.Add(Operator::kLess, {*from.major + 1, 0, 0, "0", {}});
  return true;
}
bool AddBelowNextMinor(ComparatorSet& set, const Partial& from) {
  if (*from.minor >= kMaxVersionNumber) return false;
  set.Add(Operator::kLess, {*from.major, *from.minor + 1, 0, "0", {}});
  return true;
}
bool AddBelowNextPatch(ComparatorSet& set, const Partial& from) {
  if (*from.patch >= kMaxVersionNumber) return false;
  set.Add(Operator::kLess, {*from.major, *from.minor, *from.patch + 1, "0", {}});
  return true;
}

bool AddTilde(ComparatorSet& set, const Partial& at) {
  if (!at.major) return true;
  set.Add(Operator::kGreaterEqual, at.Floor());
  return at.minor ? AddBelowNextMinor(set, at) : AddBelowNextMajor(set, at);
}

bool AddCaret(ComparatorSet& set, const Partial& at) {
  if (!at.major) return true;
  set.Add(Operator::kGreaterEqual, at.Floor());
  if (*at.major > 0 || !at.minor) return AddBelowNextMajor(set, at);
  if (*at.minor > 0 || !at.patch) return AddBelowNextMinor(set, at);
  return AddBelowNextPatch(set, at);
}

bool AddWildcard(ComparatorSet& set, const Partial& at) {
  if (!at.major) return true;
  set.Add(Operator::kGreaterEqual, at.Floor());
  return at.minor ? AddBelowNextMinor(set, at) : AddBelowNextMajor(set, at);
}

// "<", ">", "<=", ">=" before a partial that has wildcards: above or below all that it stands for.
bool AddOrderedWildcard(ComparatorSet& set, Operator op, const Partial& at) {
  const bool strict = op == Operator::kLess || op == Operator::kGreater;
  if (!at.major) {
    if (strict) set.Close();  // nothing is above or below everything
    return true;
  }
  if (op == Operator::kGreaterEqual) {
    set.Add(Operator::kGreaterEqual, at.Floor());
    return true;
  }
  if (op == Operator::kLess) {
    Version floor = at.Floor();
    floor.prerelease = "0";
    set.Add(Operator::kLess, std::move(floor));
    return true;
  }
  if (op == Operator::kLessEqual) {
    return at.minor ? AddBelowNextMinor(set, at) : AddBelowNextMajor(set, at);
  }
  if (at.minor.value_or(*at.major) >= kMaxVersionNumber) return false;
  set.Add(Operator::kGreaterEqual, at.minor ? Version{*at.major, *at.minor + 1, 0, {}, {}}
                                            : Version{*at.major + 1, 0, 0, {}, {}});
  return true;
}

bool AddPrimitive(ComparatorSet& set, Operator op, const Partial& at) {
  if (at.patch) {
    set.Add(op, at.Floor());
    return true;
  }
  if (op == Operator::kEqual) return AddWildcard(set, at);
  return AddOrderedWildcard(set, op, at);
}

bool AddHyphen(ComparatorSet& set, const Partial& from, const Partial& to) {
  if (from.major) set.Add(Operator::kGreaterEqual, from.Floor());
  if (!to.major) return true;
  if (!to.minor) return AddBelowNextMajor(set, to);
  if (!to.patch) return AddBelowNextMinor(set, to);
  set.Add(Operator::kLessEqual, to.Floor());
  return true;
}

struct OperatorText {
  std::string_view text;
  bool (*add)(ComparatorSet&, const Partial&);
};

template <Operator kOperator>
bool Primitive(ComparatorSet& set, const Partial& at) {
  return AddPrimitive(set, kOperator, at);
}

// Longer operators first.
constexpr std::array<OperatorText, 8> kOperators{{
    {"<=", Primitive<Operator::kLessEqual>},
    {">=", Primitive<Operator::kGreaterEqual>},
    {"~>", AddTilde},
    {"<", Primitive<Operator::kLess>},
    {">", Primitive<Operator::kGreater>},
    {"=", Primitive<Operator::kEqual>},
    {"~", AddTilde},
    {"^", AddCaret},
}};

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < text.size();) {
    while (i < text.size() && IsSpace(text[i])) ++i;
    const std::size_t begin = i;
    while (i < text.size() && !IsSpace(text[i])) ++i;
    if (i > begin) words.push_back(text.substr(begin, i - begin));
  }
  return words;
}

Error Invalid(std::string_view range, std::string_view part) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("parse version range {}: {} is not a version, a partial version, or one "
                          "of <, <=, >, >=, =, ~, ^ and such a version",
                          Quoted(range), Quoted(part)));
}

Result<ComparatorSet> ParseSet(std::string_view range, std::string_view text) {
  ComparatorSet set;
  const std::vector<std::string_view> words = Words(text);
  if (words.size() == 3 && words[1] == "-") {
    const auto from = ParsePartial(words[0]);
    const auto to = ParsePartial(words[2]);
    if (!from || !to || !AddHyphen(set, *from, *to)) return Invalid(range, text);
    return set;
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    auto* add = &Primitive<Operator::kEqual>;
    for (const OperatorText& op : kOperators) {
      if (word.substr(0, op.text.size()) != op.text) continue;
      add = op.add;
      word.remove_prefix(op.text.size());
      if (word.empty() && i + 1 < words.size()) word = words[++i];
      break;
    }
    const auto partial = ParsePartial(word);
    if (!partial || !add(set, *partial)) return Invalid(range, words[i]);
  }
  return set;
}

}  // namespace

Result<VersionRange> VersionRange::Parse(std::string_view text) {
  if (text.size() > kMaxRangeLength) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("parse version range {}: it is longer than {} bytes",
                            Quoted(text.substr(0, 32)), kMaxRangeLength));
  }
  VersionRange range;
  range.text_ = text;
  std::string_view rest = text;
  while (true) {
    const std::size_t bars = rest.find("||");
    TW_ASSIGN(ComparatorSet set, ParseSet(text, rest.substr(0, bars)));
    range.sets_.push_back(std::move(set));
    if (bars == std::string_view::npos) break;
    rest.remove_prefix(bars + 2);
  }
  const auto any = std::find_if(range.sets_.begin(), range.sets_.end(),
                                [](const ComparatorSet& set) { return set.IsAny(); });
  if (any != range.sets_.end()) range.sets_ = {ComparatorSet(*any)};
  range.simplified_.reserve(range.sets_.size());
  for (const ComparatorSet& set : range.sets_) range.simplified_.push_back(set.Simplified());
  return range;
}

bool VersionRange::Matches(const Version& version) const noexcept {
  return std::any_of(sets_.begin(), sets_.end(),
                     [&](const ComparatorSet& set) { return set.Matches(version); });
}

bool VersionRange::IsSubsetOf(const VersionRange& other) const noexcept {
  return std::all_of(simplified_.begin(), simplified_.end(), [&](const ComparatorSet& set) {
    return std::any_of(other.simplified_.begin(), other.simplified_.end(),
                       [&](const ComparatorSet& outer) { return set.IsSubsetOf(outer); });
  });
}

}  // namespace tidewaiter::policy
