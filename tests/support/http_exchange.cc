#include "tests/support/http_exchange.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>

namespace tidewaiter::testing {
namespace {

// Takes the chunks that are in `rest`, and those that follow, apart.
bool ReadChunks(int fd, std::string rest, std::string& body) {
  for (;;) {
    std::size_t end = 0;
    while ((end = rest.find("\r\n")) == std::string::npos) {
      if (!ReceiveMore(fd, rest)) return false;
    }
    std::size_t size = 0;
    std::from_chars(rest.data(), rest.data() + end, size, 16);
    while (rest.size() < end + 2 + size + 2) {
      if (!ReceiveMore(fd, rest)) return false;
    }
    body.append(rest, end + 2, size);
    rest.erase(0, end + 2 + size + 2);
    if (size == 0) return true;
  }
}

UniqueFd ConnectToPath(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return {};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // connect(2) takes the generic address type.
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (::connect(fd.get(), generic, sizeof(address)) != 0) return {};
  return fd;
}

UniqueFd ConnectToPort(const std::string& name) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoul(name.substr(name.find(':') + 1))));
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (::connect(fd.get(), generic, sizeof(address)) != 0) return {};
  return fd;
}

}  // namespace

bool ReceiveMore(int fd, std::string& buffer) {
  std::array<char, 16384> bytes{};
  for (;;) {
    const ssize_t n = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    buffer.append(bytes.data(), static_cast<std::size_t>(n));
    return true;
  }
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

UniqueFd ConnectTo(const std::string& address) {
  return IsPath(address) ? ConnectToPath(address) : ConnectToPort(address);
}

bool SendAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

HttpAnswer ReadAnswer(int fd, bool endless) {
  std::string buffer;
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!ReceiveMore(fd, buffer)) return {};
  }
  HttpAnswer answer;
  answer.head = buffer.substr(0, end + 4);
  std::string rest = buffer.substr(end + 4);
  std::from_chars(answer.head.data() + 9, answer.head.data() + 12, answer.status);
  answer.stream = answer.status == 101 || (endless && answer.status == 200);
  if (answer.stream) {
    answer.body = std::move(rest);
    return answer;
  }
  if (answer.status == 204 || answer.status == 304) return answer;
  const std::string head = LowerCase(answer.head);
  if (head.find("transfer-encoding: chunked") != std::string::npos) {
    return ReadChunks(fd, std::move(rest), answer.body) ? answer : HttpAnswer{};
  }
  std::size_t length = 0;
  if (const std::size_t at = head.find("content-length: "); at != std::string::npos) {
    std::from_chars(head.data() + at + 16, head.data() + head.size(), length);
  }
  while (rest.size() < length) {
    if (!ReceiveMore(fd, rest)) return {};
  }
  answer.body = std::move(rest);
  return answer;
}

std::string Framed(const HttpAnswer& answer, std::string_view body, long claimed) {
  std::string out;
  for (std::size_t at = 0; at < answer.head.size();) {
    const std::size_t end = answer.head.find("\r\n", at);
    const std::string line = answer.head.substr(at, end - at);
    at = end + 2;
    const std::string lower = LowerCase(line);
    const bool framing =
        lower.starts_with("content-length:") || lower.starts_with("transfer-encoding:");
    if (!line.empty() && !framing) out += line + "\r\n";
  }
  const bool has_body = answer.status != 204 && answer.status != 304;
  if (has_body || claimed >= 0) {
    const auto truth = static_cast<long>(body.size());
    out += "Content-Length: " + std::to_string(claimed >= 0 ? claimed : truth) + "\r\n";
  }
  return out + "\r\n" + std::string(body);
}

void Splice(int one, int other) {
  std::array<pollfd, 2> ends{pollfd{.fd = one, .events = POLLIN, .revents = 0},
                             pollfd{.fd = other, .events = POLLIN, .revents = 0}};
  for (;;) {
    if (::poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends.at(i).revents == 0) continue;
      std::string data;
      const bool more = ReceiveMore(ends.at(i).fd, data);
      if (!SendAll(ends.at(1 - i).fd, data) || !more) return;
    }
  }
}

}  // namespace tidewaiter::testing
