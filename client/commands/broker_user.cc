#include "client/commands/broker_user.h"

#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <vector>

#include "base/printable.h"

namespace tidewaiter::cli {
namespace {

constexpr char kAccount[] = "tidewaiter";  // systemd/sysusers.d
constexpr std::size_t kEntryBytes = std::size_t{64} << 10U;

std::optional<uid_t> UidOf(const std::string& name) {
  std::vector<char> buffer(kEntryBytes);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0) {
    return std::nullopt;
  }
  return found == nullptr ? std::nullopt : std::optional<uid_t>(found->pw_uid);
}

}  // namespace

Result<uid_t> FindBrokerUser(const std::string& text) {
  if (text.empty()) return UidOf(kAccount).value_or(::geteuid());
  uid_t uid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), uid);
  if (error == std::errc() && end == text.data() + text.size()) return uid;
  if (const auto found = UidOf(text)) return *found;
  return Fail(ErrorCode::kNotFound,
              "find user " + Quoted(text) + ": neither a user of this host nor a uid");
}

}  // namespace tidewaiter::cli
