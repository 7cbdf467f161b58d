#include "policy/version.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidewaiter::policy {
namespace {

bool IsDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool IsIdentifierChar(char c) noexcept {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}
bool IsNumeric(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), IsDigit);
}

// Takes the part before the first dot off `rest`, and the dot; `more` tells whether there was one.
std::string_view TakeIdentifier(std::string_view& rest, bool& more) noexcept {
  const std::size_t dot = rest.find('.');
  const std::string_view identifier = rest.substr(0, dot);
  more = dot != std::string_view::npos;
  rest = more ? rest.substr(dot + 1) : std::string_view();
  return identifier;
}

template <typename Valid>
bool AllIdentifiers(std::string_view text, Valid valid) noexcept {
  bool more = true;
  while (more) {
    const std::string_view identifier = TakeIdentifier(text, more);
    if (identifier.empty() ||
        !std::all_of(identifier.begin(), identifier.end(), IsIdentifierChar) ||
        !valid(identifier)) {
      return false;
    }
  }
  return true;
}

std::strong_ordering CompareText(std::string_view a, std::string_view b) noexcept {
  return a.compare(b) <=> 0;
}

// Numbers compare by value (of any length: leading zeros are excluded), texts by ASCII, numbers
// below texts.
std::strong_ordering CompareIdentifier(std::string_view a, std::string_view b) noexcept {
  const bool a_number = IsNumeric(a);
  const bool b_number = IsNumeric(b);
  if (a_number != b_number) {
    return a_number ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  if (a_number && a.size() != b.size()) return a.size() <=> b.size();
  return CompareText(a, b);
}

std::strong_ordering ComparePrerelease(std::string_view a, std::string_view b) noexcept {
  if (a.empty() || b.empty())
    return a.empty() <=> b.empty();  // a release is above its pre-releases
  bool a_more = true;
  bool b_more = true;
  while (a_more && b_more) {
    const std::string_view a_identifier = TakeIdentifier(a, a_more);
    const std::string_view b_identifier = TakeIdentifier(b, b_more);
    const std::strong_ordering order = CompareIdentifier(a_identifier, b_identifier);
    if (order != std::strong_ordering::equal) return order;
  }
  return a_more <=> b_more;
}

}  // namespace

std::optional<std::uint64_t> ParseVersionNumber(std::string_view text) noexcept {
  if (text.empty() || text.size() > 16 || !IsNumeric(text)) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  if (value > kMaxVersionNumber) return std::nullopt;
  return value;
}

bool IsPrerelease(std::string_view text) noexcept {
  return AllIdentifiers(text, [](std::string_view identifier) {
    return identifier.size() == 1 || identifier.front() != '0' || !IsNumeric(identifier);
  });
}

bool IsBuildMetadata(std::string_view text) noexcept {
  return AllIdentifiers(text, [](std::string_view) { return true; });
}

std::string Version::ToString() const {
  return fmt::format("{}.{}.{}{}{}{}{}", major, minor, patch, prerelease.empty() ? "" : "-",
                     prerelease, build.empty() ? "" : "+", build);
}

std::strong_ordering Version::Compare(const Version& other) const noexcept {
  if (const auto order = major <=> other.major; order != 0) return order;
  if (const auto order = minor <=> other.minor; order != 0) return order;
  if (const auto order = patch <=> other.patch; order != 0) return order;
  return ComparePrerelease(prerelease, other.prerelease);
}

std::optional<Version> ParseVersion(std::string_view text) {
  if (text.size() > kMaxVersionLength) return std::nullopt;
  Version version;
  if (const std::size_t plus = text.find('+'); plus != std::string_view::npos) {
    if (!IsBuildMetadata(text.substr(plus + 1))) return std::nullopt;
    version.build = text.substr(plus + 1);
    text = text.substr(0, plus);
  }
  if (const std::size_t minus = text.find('-'); minus != std::string_view::npos) {
    if (!IsPrerelease(text.substr(minus + 1))) return std::nullopt;
    version.prerelease = text.substr(minus + 1);
    text = text.substr(0, minus);
  }
  bool more = true;
  for (std::uint64_t* number : {&version.major, &version.minor, &version.patch}) {
    if (!more) return std::nullopt;
    const auto value = ParseVersionNumber(TakeIdentifier(text, more));
    if (!value) return std::nullopt;
    *number = *value;
  }
  if (more) return std::nullopt;
  return version;
}

std::optional<Version> ParseTagVersion(std::string_view tag) {
  if (!tag.empty() && tag.front() == 'v') tag.remove_prefix(1);
  if (tag.find('+') != std::string_view::npos) return std::nullopt;
  std::string text(tag);
  if (const std::size_t underscore = text.find('_'); underscore != std::string::npos) {
    text[underscore] = '+';
  }
  return ParseVersion(text);
}

}  // namespace tidewaiter::policy
