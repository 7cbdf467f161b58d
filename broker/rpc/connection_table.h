// Who is at the other end of each connection, by the number under which gRPC knows it ("fd:N").
//
// gRPC shows a handler nothing of its connection but that number, and the kernel gives a number out
// again as soon as it is closed. Two things, each sufficient, keep a call from being taken for the
// next peer's:
//   1. gRPC closes the descriptor in the destructor of its transport, and every call holds a
//      reference to its transport (the call's peer string is the transport's). So while a call can
//      still ask who it is, its number is open and the kernel gives it to nobody.
//   2. Numbers come from a range of their own above everything else that the process opens, rise,
//      and begin again at the bottom only after the whole range has been used.
// Thread: Admit from the listener's thread only; everything else from any.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "broker/rpc/peer_process.h"

namespace tidewaiter::rpc {

// As the kernel noted them at connect(2): unix(7), SO_PEERCRED.
struct PeerCredentials {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  PeerProcess process{};  // as it was when the connection was accepted
  friend bool operator==(const PeerCredentials&, const PeerCredentials&) = default;
};

class ConnectionTable {
 public:
  struct Bounds {
    std::size_t max_connections = 1024;
    std::size_t max_per_uid = 256;
    // Descriptor numbers for connections: [first_number, end_number).
    int first_number = 0;
    int end_number = 0;
  };
  // The upper half of what RLIMIT_NOFILE allows, with max_connections no more than fit in there.
  static Bounds FitToDescriptorLimit(Bounds bounds);

  explicit ConnectionTable(Bounds bounds) : bounds_(bounds), next_number_(bounds.first_number) {}
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  // Moves the accepted socket to a number of its own and notes whose it is. The number is the
  // caller's to close, or gRPC's. At a bound an idle connection is shut down in its favour (of the
  // same uid at that uid's bound, else of the uid that has most): first those that never made a
  // call, then the one that has been idle the longest. Where none is idle: RESOURCE_EXHAUSTED
  // (TOO_MANY_CONNECTIONS).
  Result<int> Admit(UniqueFd socket, const PeerCredentials& credentials);

  // While it lives the connection counts as busy.
  class Lease {
   public:
    Lease(Lease&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)),
          number_(other.number_),
          credentials_(std::move(other.credentials_)) {}
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { End(); }
    [[nodiscard]] const PeerCredentials& credentials() const noexcept { return credentials_; }

   private:
    friend class ConnectionTable;
    Lease(ConnectionTable* table, int number, PeerCredentials credentials)
        : table_(table), number_(number), credentials_(std::move(credentials)) {}
    void End() noexcept;

    ConnectionTable* table_ = nullptr;
    int number_ = -1;
    PeerCredentials credentials_;
  };

  // Marks the connection as busy for a call that has just come in on it. Nothing where the number
  // is no connection's.
  std::optional<Lease> Begin(int number);

  // Shuts down those connections of a uid that `unwelcome` names on which no call of ours is.
  void ShutDownIdle(const std::function<bool(uid_t uid)>& unwelcome);

  // Connections that are open now.
  [[nodiscard]] std::size_t CountOpen();

 private:
  struct Entry {
    PeerCredentials credentials;
    std::uint64_t cookie = 0;  // SO_COOKIE: unique to the socket for as long as the machine is up
    std::uint64_t last_used = 0;  // on use_clock_
    std::size_t calls = 0;
    bool spoke = false;  // a call has come in on it
    bool evicted = false;
  };
  using Entries = std::unordered_map<int, Entry>;

  void ForgetClosed();
  [[nodiscard]] std::size_t CountOf(uid_t uid) const;
  [[nodiscard]] uid_t HeaviestUid() const;
  bool EvictIdle(uid_t uid);
  void Evict(int number, Entry& entry);
  Result<int> Duplicate(const UniqueFd& socket);

  const Bounds bounds_;
  int next_number_;
  std::mutex mutex_;
  Entries entries_;              // guarded by mutex_
  std::size_t evicted_ = 0;      // entries that are; guarded by mutex_
  std::uint64_t use_clock_ = 0;  // guarded by mutex_
};

}  // namespace tidewaiter::rpc
