#include "policy/kubernetes_names.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace tidewaiter::policy {
namespace {

constexpr std::size_t kMaxPrefix = 253;
constexpr std::size_t kMaxName = 63;

bool IsDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool IsLower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
bool IsAlphanumeric(char c) noexcept {
  return IsDigit(c) || IsLower(c) || (c >= 'A' && c <= 'Z');
}

// [a-z0-9]([-a-z0-9]*[a-z0-9])?
bool IsDnsLabel(std::string_view label) noexcept {
  const auto plain = [](char c) { return IsDigit(c) || IsLower(c); };
  return !label.empty() && plain(label.front()) && plain(label.back()) &&
         std::all_of(label.begin(), label.end(), [&](char c) { return plain(c) || c == '-'; });
}

bool IsDnsSubdomain(std::string_view name) noexcept {
  if (name.size() > kMaxPrefix) return false;
  while (true) {
    const std::size_t dot = name.find('.');
    if (!IsDnsLabel(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

bool IsNamePart(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kMaxName && IsAlphanumeric(name.front()) &&
         IsAlphanumeric(name.back()) && std::all_of(name.begin(), name.end(), [](char c) {
           return IsAlphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

}  // namespace

bool IsQualifiedName(std::string_view name) noexcept {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return IsNamePart(name);
  return IsDnsSubdomain(name.substr(0, slash)) && IsNamePart(name.substr(slash + 1));
}

bool IsKubernetesLabel(std::string_view name) noexcept {
  if (name == "job-name" || name == "controller-uid") return true;
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view prefix = name.substr(0, slash);
  constexpr std::array<std::string_view, 2> kReserved{"kubernetes.io", "k8s.io"};
  return std::any_of(kReserved.begin(), kReserved.end(), [&](std::string_view domain) {
    if (!prefix.ends_with(domain)) return false;
    return prefix.size() == domain.size() || prefix[prefix.size() - domain.size() - 1] == '.';
  });
}

bool IsVariableName(std::string_view name) noexcept {
  const auto plain = [](char c) { return IsAlphanumeric(c) || c == '-' || c == '_' || c == '.'; };
  return !name.empty() && !IsDigit(name.front()) && std::all_of(name.begin(), name.end(), plain) &&
         name != "." && !name.starts_with("..");
}

}  // namespace tidewaiter::policy
