#include "broker/io/http_upgrade.h"

#include <utility>

#include "base/printable.h"
#include "broker/io/blocking_socket.h"
#include "broker/io/http_answer.h"

namespace tidewaiter::io {
namespace {

constexpr std::size_t kMaxShown = std::size_t{4} << 10U;
constexpr int kSwitchingProtocols = 101;
constexpr int kOk = 200;

ErrorCode CodeOfStatus(int status) {
  switch (status) {
    case 400: return ErrorCode::kInvalidArgument;
    case 404: return ErrorCode::kNotFound;
    case 409: return ErrorCode::kAlreadyExists;
    default:
      return status >= 400 && status < 500 ? ErrorCode::kFailedPrecondition : ErrorCode::kInternal;
  }
}

Result<UpgradedConnection> Upgrade(const std::string& unix_socket, const std::string& target,
                                   const std::stop_token& stop, Deadline deadline) {
  if (!target.starts_with('/') || HasControl(target) || target.find(' ') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "not a target that can be asked for");
  }
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "cancelled");
  TW_ASSIGN(BlockingSocket socket, BlockingSocket::Connect(unix_socket, stop, deadline));
  TW_TRY(socket.Send("POST " + target +
                         " HTTP/1.1\r\nHost: docker\r\nUser-Agent: tidewaiter\r\n"
                         "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n",
                     deadline));
  TW_ASSIGN(HttpAnswer answer, ReceiveAnswer(socket, deadline));
  const int status = answer.head.status;
  if (status == kSwitchingProtocols || status == kOk) {
    return UpgradedConnection{.fd = socket.Release(), .early = std::move(answer.early)};
  }
  const std::string text = ReceiveRefusal(socket, std::move(answer), deadline);
  return Fail(CodeOfStatus(status),
              "the answer is " + std::to_string(status) + ": " + Printable(text, kMaxShown),
              "UPGRADE_REFUSED");
}

}  // namespace

Result<UpgradedConnection> UpgradeConnection(const std::string& unix_socket,
                                             const std::string& target, const std::stop_token& stop,
                                             Deadline deadline) {
  Result<UpgradedConnection> connection = Upgrade(unix_socket, target, stop, deadline);
  if (!connection) return connection.error().Within("open stream " + Quoted(target));
  return connection;
}

}  // namespace tidewaiter::io
