#include "broker/daemon/health_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

#include "broker/daemon/health_answer.h"

namespace tidewaiter::daemon {
namespace {

// Of a body that nobody asked for: more is cut off, at the risk of the answer.
constexpr std::size_t kMaxIgnored = std::size_t{64} << 10U;

// Bytes read; 0 at the end or where the connection broke; nothing where none are there yet.
std::optional<std::size_t> Receive(int fd, std::array<char, 2048>& bytes) {
  for (;;) {
    const ssize_t n = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
    if (errno != EINTR) return 0;
  }
}

}  // namespace

short HealthConnection::events() const noexcept {
  return step_ == Step::kWriting ? POLLOUT : POLLIN;
}

bool HealthConnection::GoOn(const std::function<std::string(const std::string& head)>& answer) {
  if (step_ == Step::kReading && !Read(answer)) return step_ != Step::kOver;
  if (step_ == Step::kWriting && !Write()) return step_ != Step::kOver;
  AwaitEnd();
  return step_ != Step::kOver;
}

bool HealthConnection::Read(const std::function<std::string(const std::string& head)>& answer) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  std::array<char, 2048> bytes{};
  while (answer_.empty()) {
    const std::optional<std::size_t> n = Receive(fd(), bytes);
    if (!n) return false;
    if (*n == 0) {
      step_ = Step::kOver;
      return false;
    }
    const std::size_t look_from = head_.size() - std::min(head_.size(), kEnd.size() - 1);
    head_.append(bytes.data(), *n);
    const std::size_t end = head_.find(kEnd, look_from);
    const std::size_t size = end == std::string::npos ? head_.size() : end + kEnd.size();
    if (size > kMaxProbeHead) {
      answer_ = AnswerHeadTooLong();
    } else if (end != std::string::npos) {
      head_.resize(size);
      answer_ = answer(head_);
    }
  }
  head_ = std::string();
  step_ = Step::kWriting;
  return true;
}

bool HealthConnection::Write() {
  while (sent_ < answer_.size()) {
    const ssize_t n =
        ::send(fd(), answer_.data() + sent_, answer_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      sent_ += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return false;
    } else if (errno != EINTR) {
      step_ = Step::kOver;
      return false;
    }
  }
  // A close with bytes that nobody has read resets a connection of TCP, and what was sent with it
  // (RFC 9112, 9.6).
  static_cast<void>(::shutdown(fd(), SHUT_WR));
  step_ = Step::kEnding;
  return true;
}

void HealthConnection::AwaitEnd() {
  std::array<char, 2048> bytes{};
  while (ignored_ <= kMaxIgnored) {
    const std::optional<std::size_t> n = Receive(fd(), bytes);
    if (!n) return;
    if (*n == 0) break;
    ignored_ += *n;
  }
  step_ = Step::kOver;
}

}  // namespace tidewaiter::daemon
