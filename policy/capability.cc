#include "policy/capability.h"

#include <algorithm>
#include <array>

namespace tidewaiter::policy {
namespace {

constexpr std::array<std::string_view, 41> kCapabilities{
    "AUDIT_CONTROL",   "AUDIT_READ",   "AUDIT_WRITE",
    "BLOCK_SUSPEND",   "BPF",          "CHECKPOINT_RESTORE",
    "CHOWN",           "DAC_OVERRIDE", "DAC_READ_SEARCH",
    "FOWNER",          "FSETID",       "IPC_LOCK",
    "IPC_OWNER",       "KILL",         "LEASE",
    "LINUX_IMMUTABLE", "MAC_ADMIN",    "MAC_OVERRIDE",
    "MKNOD",           "NET_ADMIN",    "NET_BIND_SERVICE",
    "NET_BROADCAST",   "NET_RAW",      "PERFMON",
    "SETFCAP",         "SETGID",       "SETPCAP",
    "SETUID",          "SYSLOG",       "SYS_ADMIN",
    "SYS_BOOT",        "SYS_CHROOT",   "SYS_MODULE",
    "SYS_NICE",        "SYS_PACCT",    "SYS_PTRACE",
    "SYS_RAWIO",       "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG",  "WAKE_ALARM"};
constexpr std::size_t kLongest = 32;

}  // namespace

std::optional<std::string_view> NormaliseCapability(std::string_view name) noexcept {
  std::array<char, kLongest> buffer{};
  if (name.size() > buffer.size()) return std::nullopt;
  std::transform(name.begin(), name.end(), buffer.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  std::string_view upper(buffer.data(), name.size());
  if (upper.starts_with("CAP_")) upper.remove_prefix(4);
  const auto* found = std::lower_bound(kCapabilities.begin(), kCapabilities.end(), upper);
  if (found == kCapabilities.end() || *found != upper) return std::nullopt;
  return *found;
}

}  // namespace tidewaiter::policy
