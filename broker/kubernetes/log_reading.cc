#include "broker/kubernetes/log_reading.h"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <utility>

#include "base/guarded.h"
#include "base/printable.h"
#include "broker/kubernetes/job_manifest.h"

namespace tidewaiter::kubernetes {
namespace {

// One piece at a time from the loop's thread, which must not wait, to the reader's, which may.
class Handover {
 public:
  io::StreamNext Give(std::string_view data) {
    {
      auto shared = shared_.Lock();
      if (shared->unwanted) return io::StreamNext::kEnd;
      shared->piece.append(data);
    }
    changed_.notify_all();
    return io::StreamNext::kPause;
  }
  void Finish(Result<void> result) {
    {
      auto shared = shared_.Lock();
      shared->finished = std::move(result);
    }
    changed_.notify_all();
  }
  void Refuse() {
    shared_.Lock()->unwanted = true;
    control.Resume();
  }
  // The next piece; or, where it is empty, how the reading ended.
  std::pair<std::string, Result<void>> Take() {
    std::string piece;
    Result<void> result = Ok();
    {
      auto shared = shared_.Lock();
      shared.Wait(changed_, {}, Deadline::Never(),
                  [&] { return !shared->piece.empty() || shared->finished; });
      piece = std::exchange(shared->piece, {});
      if (piece.empty()) result = *shared->finished;
    }
    control.Resume();
    return {std::move(piece), std::move(result)};
  }

  io::StreamControl control;

 private:
  struct Shared {
    std::string piece;
    bool unwanted = false;
    std::optional<Result<void>> finished;
  };
  Guarded<Shared> shared_;
  std::condition_variable_any changed_;
};

}  // namespace

Result<bool> ReadLogFrom(ClusterApi& api, const std::string& pod, run::LogPosition& position,
                         const run::LogTaker& take, const run::Patience& patience) {
  Handover handover;
  const io::StreamReceiver receiver{
      .on_open = {},
      .on_data = [&](std::string_view data) { return handover.Give(data); },
      .control = &handover.control};
  const std::jthread reader(
      [&] { handover.Finish(api.ReadLog(pod, kJobContainer, false, patience, receiver)); });
  std::uint64_t at = 0;
  for (;;) {
    const auto [piece, result] = handover.Take();
    if (piece.empty()) {
      TW_TRY(result);
      break;
    }
    std::string_view data = piece;
    const auto known = std::min<std::uint64_t>(
        position.stdout_bytes - std::min(at, position.stdout_bytes), data.size());
    at += data.size();
    data.remove_prefix(known);
    if (data.empty()) continue;
    position.stdout_bytes += data.size();
    if (take(run::OutputStream::kStdout, std::as_bytes(std::span(data.data(), data.size())))) {
      continue;
    }
    handover.Refuse();
    return false;
  }
  if (at >= position.stdout_bytes) return true;
  return Fail(ErrorCode::kResourceExhausted,
              "read the log of pod " + Quoted(pod) + ": the node may have dropped some of it",
              "LOG_INCOMPLETE");
}

}  // namespace tidewaiter::kubernetes
