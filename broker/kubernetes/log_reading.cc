#include "broker/kubernetes/log_reading.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/printable.h"
#include "broker/kubernetes/job_manifest.h"

namespace tidewaiter::kubernetes {

Result<bool> ReadLogFrom(ClusterApi& api, const std::string& pod, run::LogPosition& position,
                         const run::LogTaker& take, const run::Patience& patience) {
  std::uint64_t at = 0;
  bool wanted = true;
  TW_TRY(api.ReadLog(pod, kJobContainer, false, patience, {}, [&](std::string_view data) {
    const auto known = std::min<std::uint64_t>(
        position.stdout_bytes - std::min(at, position.stdout_bytes), data.size());
    at += data.size();
    data.remove_prefix(known);
    if (data.empty()) return true;
    position.stdout_bytes += data.size();
    wanted = take(run::OutputStream::kStdout, std::as_bytes(std::span(data.data(), data.size())));
    return wanted;
  }));
  if (wanted && at < position.stdout_bytes) {
    return Fail(ErrorCode::kResourceExhausted,
                "read the log of pod " + Quoted(pod) + ": the node may have dropped some of it",
                "LOG_INCOMPLETE");
  }
  return wanted;
}

}  // namespace tidewaiter::kubernetes
