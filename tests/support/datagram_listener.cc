#include "tests/support/datagram_listener.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

namespace tidewaiter::testing {
namespace {

std::string ContentOf(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) std::abort();
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  if (::pread(file, content.data(), content.size(), 0) != status.st_size) std::abort();
  return content;
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) std::abort();
  std::memcpy(&address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

DatagramListener::DatagramListener(const std::string& path)
    : path_(path), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  ::unlink(path.c_str());
  const sockaddr_un address = AddressOf(path);
  const auto* const generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (::bind(fd_.get(), generic, sizeof(address)) != 0) std::abort();
}

std::optional<DatagramListener::Message> DatagramListener::Receive(
    std::chrono::milliseconds within) {
  pollfd waited{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waited, 1, static_cast<int>(within.count())) != 1) return std::nullopt;
  std::string bytes(std::size_t{4} << 20U, '\0');
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = space.data();
  header.msg_controllen = space.size();
  const ssize_t size = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC);
  if (size < 0 || (header.msg_flags & MSG_TRUNC) != 0) std::abort();
  Message message{.payload = bytes.substr(0, static_cast<std::size_t>(size)), .file = {}};
  if (const cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(control), sizeof(number));
    const UniqueFd file(number);
    message.file = ContentOf(file.get());
    message.seals = ::fcntl(file.get(), F_GET_SEALS);
  }
  return message;
}

void DatagramListener::Fill() const {
  const sockaddr_un address = AddressOf(path_);
  const auto* const generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  // Also the room that a sender has for what waits is bounded: the next one has its own.
  for (bool full = false; !full;) {
    const UniqueFd sender(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (::connect(sender.get(), generic, sizeof(address)) != 0) std::abort();
    full = ::send(sender.get(), "x", 1, MSG_DONTWAIT) != 1;
    while (!full && ::send(sender.get(), "x", 1, MSG_DONTWAIT) == 1) {
    }
  }
}

}  // namespace tidewaiter::testing
