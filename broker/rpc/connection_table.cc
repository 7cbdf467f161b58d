#include "broker/rpc/connection_table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace tidewaiter::rpc {
namespace {

// 0 where `number` is no open socket.
std::uint64_t SocketCookie(int number) noexcept {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (::getsockopt(number, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return 0;
  return cookie;
}

}  // namespace

ConnectionTable::Bounds ConnectionTable::FitToDescriptorLimit(Bounds bounds) {
  constexpr rlim_t kMostNumbers = rlim_t{1} << 20U;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  bounds.end_number = static_cast<int>(std::min(limit.rlim_cur, kMostNumbers));
  bounds.first_number = bounds.end_number / 2;
  // Twice as many numbers as connections, so that one that gRPC is slow to close stands in no way.
  const auto room = static_cast<std::size_t>(bounds.end_number - bounds.first_number) / 2;
  bounds.max_connections =
      std::clamp<std::size_t>(bounds.max_connections, 1, std::max<std::size_t>(room, 1));
  bounds.max_per_uid = std::min(bounds.max_per_uid, bounds.max_connections);
  return bounds;
}

Result<int> ConnectionTable::Admit(UniqueFd socket, const PeerCredentials& credentials) {
  const std::lock_guard lock(mutex_);
  const auto full = [&] { return entries_.size() - evicted_ >= bounds_.max_connections; };
  const auto uid_full = [&] { return CountOf(credentials.uid) >= bounds_.max_per_uid; };
  if (full() || uid_full()) {
    ForgetClosed();
    if ((uid_full() && !EvictIdle(credentials.uid)) || (full() && !EvictIdle(HeaviestUid()))) {
      return Fail(
          ErrorCode::kResourceExhausted,
          fmt::format("accept a connection of uid {}: {} are open, {} of them this uid's, "
                      "and each is in use",
                      credentials.uid, entries_.size() - evicted_, CountOf(credentials.uid)),
          "TOO_MANY_CONNECTIONS");
    }
  }
  TW_ASSIGN(const int number, Duplicate(socket));
  // The kernel gave the number out, so whatever was noted under it is closed.
  if (const auto old = entries_.find(number); old != entries_.end() && old->second.evicted)
    --evicted_;
  entries_.insert_or_assign(number, Entry{.credentials = credentials,
                                          .cookie = SocketCookie(number),
                                          .last_used = ++use_clock_,
                                          .calls = 0,
                                          .spoke = false,
                                          .evicted = false});
  return number;
}

std::optional<ConnectionTable::Lease> ConnectionTable::Begin(int number) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end()) return std::nullopt;
  ++found->second.calls;
  found->second.spoke = true;
  found->second.last_used = ++use_clock_;
  return Lease(this, number, found->second.credentials);
}

void ConnectionTable::Lease::End() noexcept {
  if (table_ == nullptr) return;
  const std::lock_guard lock(table_->mutex_);
  // An entry with calls is never forgotten or given to another: its number is open (see the head).
  const auto found = table_->entries_.find(number_);
  if (found == table_->entries_.end() || found->second.calls == 0) return;
  --found->second.calls;
  found->second.last_used = ++table_->use_clock_;
}

std::size_t ConnectionTable::CountOpen() {
  const std::lock_guard lock(mutex_);
  ForgetClosed();
  return entries_.size() - evicted_;
}

void ConnectionTable::ForgetClosed() {
  std::erase_if(entries_, [this](const auto& item) {
    const auto& [number, entry] = item;
    if (entry.calls > 0 || SocketCookie(number) == entry.cookie) return false;
    if (entry.evicted) --evicted_;
    return true;
  });
}

std::size_t ConnectionTable::CountOf(uid_t uid) const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [uid](const auto& item) {
        return item.second.credentials.uid == uid && !item.second.evicted;
      }));
}

uid_t ConnectionTable::HeaviestUid() const {
  std::unordered_map<uid_t, std::size_t> counts;
  uid_t heaviest = 0;
  std::size_t most = 0;
  for (const auto& [number, entry] : entries_) {
    if (entry.evicted) continue;
    if (const std::size_t count = ++counts[entry.credentials.uid]; count > most) {
      most = count;
      heaviest = entry.credentials.uid;
    }
  }
  return heaviest;
}

bool ConnectionTable::EvictIdle(uid_t uid) {
  auto idlest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const Entry& entry = it->second;
    if (entry.evicted || entry.calls > 0 || entry.credentials.uid != uid) continue;
    const auto rank = [](const Entry& e) { return std::pair(e.spoke, e.last_used); };
    if (idlest == entries_.end() || rank(entry) < rank(idlest->second)) idlest = it;
  }
  if (idlest == entries_.end()) return false;
  Evict(idlest->first, idlest->second);
  return true;
}

// shutdown(2), not close(2): the number stays gRPC's, which closes it when it has read the end.
void ConnectionTable::Evict(int number, Entry& entry) {
  if (SocketCookie(number) == entry.cookie) ::shutdown(number, SHUT_RDWR);
  entry.evicted = true;
  ++evicted_;
}

void ConnectionTable::ShutDownIdle(const std::function<bool(uid_t uid)>& unwelcome) {
  const std::lock_guard lock(mutex_);
  for (auto& [number, entry] : entries_) {
    if (entry.evicted || entry.calls > 0 || !unwelcome(entry.credentials.uid)) continue;
    Evict(number, entry);
  }
}

Result<int> ConnectionTable::Duplicate(const UniqueFd& socket) {
  for (const bool again : {false, true}) {
    if (again || next_number_ >= bounds_.end_number) next_number_ = bounds_.first_number;
    const int number = ::fcntl(socket.get(), F_DUPFD_CLOEXEC, next_number_);
    if (number >= bounds_.end_number) {  // the limit was raised since, or the range is a test's
      ::close(number);
      continue;
    }
    if (number >= 0) {
      next_number_ = number + 1;
      return number;
    }
    if (errno != EINVAL && errno != EMFILE) return ErrnoError(errno, "number a connection");
  }
  return Fail(ErrorCode::kResourceExhausted, "number a connection: every number is in use",
              "TOO_MANY_CONNECTIONS");
}

}  // namespace tidewaiter::rpc
