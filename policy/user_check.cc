#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "base/printable.h"
#include "policy/checks.h"
#include "policy/rules.h"

namespace tidewaiter::policy {
namespace {

// A plain decimal below 2^31: larger ids are negative to some tools, and 2^32-1 means "unchanged"
// to the kernel.
std::optional<std::uint32_t> ParseId(std::string_view text) noexcept {
  if (text.empty() || text.size() > 10 || (text.size() > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value >= (std::uint64_t{1} << 31U)) return std::nullopt;
  return static_cast<std::uint32_t>(value);
}

}  // namespace

void CheckUser(Check& check) {
  const std::string_view text = check.spec.user;
  if (text.empty()) return;  // UserId's own default
  const std::size_t colon = text.find(':');
  const auto uid = ParseId(text.substr(0, colon));
  const auto gid = colon == std::string_view::npos ? uid : ParseId(text.substr(colon + 1));
  if (!uid || !gid) {
    check.Deny(rule::kUserInvalid, "user",
               fmt::format("user {} is not UID or UID:GID", Quoted(text)),
               "plain decimals below 2147483648 without leading zeros, as in '1000:1000'; names "
               "cannot be checked before the image runs");
    return;
  }
  if ((*uid == 0 || *gid == 0) && !check.rules.allow_root) {
    check.Deny(rule::kUserRoot, "user",
               fmt::format("user {} is {} 0", Quoted(text), *uid == 0 ? "uid" : "gid"),
               "a uid and gid above 0, as in '65534:65534'");
  }
  check.run.user = {*uid, *gid};
}

}  // namespace tidewaiter::policy
