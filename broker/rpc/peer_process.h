// Which process a connection came from: a pid alone is given to another as soon as its process has
// ended, and by then nobody can tell who it was. Thread: any.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter::rpc {

struct PeerProcess {
  // When it began, in clock ticks since the boot (proc(5), field 22 of /proc/PID/stat): with the
  // pid and the boot's id it names one process.
  std::optional<std::uint64_t> start;
  // The path of its program; or, where the broker may not see that, in brackets the name that the
  // process gives itself. Printable, at most about 1,024 bytes.
  std::string executable;
  friend bool operator==(const PeerProcess&, const PeerProcess&) = default;
};

// Of the process that connected `socket` (borrowed; AF_UNIX), which the kernel calls `pid`. What
// cannot be told is absent: it has ended, is in another pid namespace, or /proc hides it. A process
// can hand its connection on, and can become another program: this is who it was just now.
PeerProcess ReadPeerProcess(int socket, pid_t pid);

// The same from the folder `proc` (borrowed), nothing asked of a socket.
PeerProcess ReadProcess(int proc, pid_t pid);

// The process whose /proc/PID/stat is `text`. Its second field is a name that the process chooses,
// "a) R 1 (b" for instance: what follows its last ')' is the kernel's own.
PeerProcess ParseStat(std::string_view text);

}  // namespace tidewaiter::rpc
