#include "broker/kubernetes/exec_channels.h"

#include <utility>

#include "base/printable.h"
#include "broker/json/json.h"
#include "broker/kubernetes/cluster_client.h"

namespace tidewaiter::kubernetes {
namespace {

constexpr char kStdoutChannel = 1;
constexpr char kStderrChannel = 2;
constexpr char kStatusChannel = 3;
constexpr std::size_t kMaxStatusBytes = std::size_t{64} << 10U;

}  // namespace

Result<void> ExecChannels::Feed(std::string_view piece, bool begins) {
  if (begins) channel_.reset();
  if (!channel_) {
    if (piece.empty()) return Ok();
    channel_ = piece.front();
    piece.remove_prefix(1);
  }
  // One of nothing opens a channel.
  if (piece.empty()) return Ok();
  switch (*channel_) {
    case kStdoutChannel: return takers_.on_stdout(piece);
    case kStderrChannel: takers_.on_stderr(piece); return Ok();
    case kStatusChannel: {
      if (status_.size() + piece.size() > kMaxStatusBytes) {
        return InvalidAnswer("run a command in a pod", "its status does not end");
      }
      status_ += piece;
      return Ok();
    }
    default: return InvalidAnswer("run a command in a pod", "output on a channel that is none");
  }
}

std::optional<Result<void>> ExecChannels::end() const {
  if (status_.empty()) return std::nullopt;
  const std::optional<Json> status = ParseJson(status_);
  // Its end is still to come.
  if (!status) return std::nullopt;
  if (TextAt(*status, "status") == "Success") return Result<void>(Ok());
  return Result<void>(Fail(ErrorCode::kFailedPrecondition,
                           "run a command in a pod: " + Quoted(TextAt(*status, "message"), 400),
                           "EXEC_FAILED"));
}

}  // namespace tidewaiter::kubernetes
