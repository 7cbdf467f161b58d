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
#include "broker/run/log_prefix.h"

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

// What somebody has of the log, held against what comes of it. Moves `position` along.
class Copy {
 public:
  explicit Copy(run::LogPosition& position) : position_(position) {}
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() {
    if (Whole()) position_.stdout_digest = passed_.Digest();
  }

  // What of it is not there yet; nothing where the log is another one.
  std::string_view PassOver(std::string_view data) {
    const std::uint64_t missing = position_.stdout_bytes - passed_.bytes();
    const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(missing, data.size()));
    passed_.Add(data.substr(0, known));
    if (known > 0 && known == missing && !position_.stdout_digest.empty()) {
      differs_ = passed_.Digest() != position_.stdout_digest;
    }
    return differs_ ? std::string_view() : data.substr(known);
  }
  void Add(std::string_view fresh) {
    passed_.Add(fresh);
    position_.stdout_bytes += fresh.size();
  }
  [[nodiscard]] bool differs() const noexcept { return differs_; }
  // Whether all of it has come again, and is the same.
  [[nodiscard]] bool Whole() const noexcept {
    return !differs_ && passed_.bytes() == position_.stdout_bytes;
  }

 private:
  run::LogPosition& position_;
  run::LogPrefix passed_;
  bool differs_ = false;
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
  Copy copy(position);
  for (;;) {
    const auto [piece, result] = handover.Take();
    if (piece.empty()) {
      TW_TRY(result);
      break;
    }
    const std::string_view fresh = copy.PassOver(piece);
    if (copy.differs()) break;
    if (fresh.empty()) continue;
    copy.Add(fresh);
    if (take(run::OutputStream::kStdout, std::as_bytes(std::span(fresh.data(), fresh.size())))) {
      continue;
    }
    handover.Refuse();
    return false;
  }
  if (copy.Whole()) return true;
  handover.Refuse();
  return Fail(ErrorCode::kResourceExhausted,
              "read the log of pod " + Quoted(pod) + ": the node may have dropped some of it",
              "LOG_INCOMPLETE");
}

}  // namespace tidewaiter::kubernetes
