// The Unix socket on which the broker is asked: systemd's (sd_listen_fds(3)) or one of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::rpc {

class ListeningSocket {
 public:
  // The socket that systemd passed (LISTEN_PID, LISTEN_FDS: exactly one, a listening Unix stream
  // socket), which it also removes; else a new one at `path` with permission bits `mode`. A file
  // that is there already is replaced only where it is a socket on which nothing answers.
  // `path`.lock is locked meanwhile (flock(2)) and for as long as the socket lives, so that of two
  // brokers that find the same dead socket one gives way; the file stays behind, since to remove it
  // would let two hold it. Errors: ALREADY_EXISTS (SOCKET_IN_USE: something listens or holds the
  // lock, or it is no socket); errno's.
  static Result<ListeningSocket> Open(const std::string& path, std::uint32_t mode);
  // The same, always a new one.
  static Result<ListeningSocket> Bind(const std::string& path, std::uint32_t mode);

  ListeningSocket(ListeningSocket&&) noexcept = default;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  // Removes the file where it is still the one that was made.
  ~ListeningSocket();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] bool activated() const noexcept { return path_.empty(); }

 private:
  ListeningSocket(UniqueFd lock, UniqueFd fd, std::string path, dev_t device, ino_t inode)
      : lock_(std::move(lock)),
        fd_(std::move(fd)),
        path_(std::move(path)),
        device_(device),
        inode_(inode) {}

  UniqueFd lock_;  // released after the socket is closed
  UniqueFd fd_;
  std::string path_;  // empty: systemd's
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace tidewaiter::rpc
