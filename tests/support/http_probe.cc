#include "tests/support/http_probe.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "tests/support/http_exchange.h"

namespace tidewaiter::testing {
namespace {

constexpr std::chrono::seconds kPatience(20);

UniqueFd WithPatience(UniqueFd fd) {
  const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
  static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
  return fd;
}

}  // namespace

UniqueFd ConnectProbe(const std::string& socket_path) {
  return WithPatience(ConnectTo(socket_path));
}

UniqueFd ConnectProbe(std::uint16_t loopback_port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(loopback_port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // connect(2) takes the generic address type.
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (::connect(fd.get(), generic, sizeof(address)) != 0) return {};
  return WithPatience(std::move(fd));
}

std::string Exchange(const UniqueFd& connection, const std::string& text) {
  if (!connection) return "";
  // What is refused unread may still be answered.
  static_cast<void>(SendAll(connection.get(), text));
  std::string answer;
  while (ReceiveMore(connection.get(), answer)) {
  }
  return answer;
}

std::string Probe(const std::string& socket_path, const std::string& target) {
  return Exchange(ConnectProbe(socket_path), "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

int StatusOf(const std::string& answer) {
  constexpr std::size_t kStatusAt = sizeof("HTTP/1.1 ") - 1;
  return answer.starts_with("HTTP/1.1 ") ? std::atoi(answer.c_str() + kStatusAt) : 0;
}

std::string BodyOf(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

}  // namespace tidewaiter::testing
