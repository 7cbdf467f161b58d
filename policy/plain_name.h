// Plain names: principals, policies, runtimes, seccomp profiles, backends, inputs, outputs and
// volumes. They end up in file names, label values and log lines, so nothing in them may mean
// anything there.
#pragma once

#include <string_view>

namespace tidewaiter::policy {

// 1 to 64 ASCII letters, digits, '.', '_' and '-', the first a letter or digit.
inline bool IsPlainName(std::string_view name) noexcept {
  if (name.empty() || name.size() > 64) return false;
  const auto alnum = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (!alnum(name.front())) return false;
  for (const char c : name) {
    if (!alnum(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

}  // namespace tidewaiter::policy
