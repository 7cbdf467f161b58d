// Looks after the segments that are not written any more: compresses them, and removes the oldest
// once they have been kept for long enough, which is recorded before it is done.
//
// A thread of its own; it may take its time. It must never touch the segment that grows, nor remove
// a segment of which the log does not say so.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "audit/log.h"
#include "audit/segment_name.h"
#include "audit/timestamp.h"
#include "base/guarded.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

class SegmentKeeper {
 public:
  struct Settings {
    bool compress = true;
    // Since a segment's last record; zero: for ever.
    std::chrono::milliseconds retention{0};
    std::chrono::milliseconds interval{std::chrono::minutes(1)};
    // The wall clock.
    std::function<Timestamp()> now = Now;
    // Told where something fails that worked before, and once it works again (nothing).
    std::function<void(const std::optional<Error>& error)> on_change = {};
  };
  // `log` must outlive it. Errors: errno's of dup(2).
  static Result<std::unique_ptr<SegmentKeeper>> Start(Log& log, Settings settings);
  SegmentKeeper(const SegmentKeeper&) = delete;
  SegmentKeeper& operator=(const SegmentKeeper&) = delete;
  ~SegmentKeeper() = default;

  // What failed in the last round, where something did.
  [[nodiscard]] std::optional<Error> Failure() { return *failure_.Lock(); }

 private:
  SegmentKeeper(Log& log, Settings settings, UniqueFd directory)
      : log_(log), settings_(std::move(settings)), directory_(std::move(directory)) {}

  void Run(const std::stop_token& stop);
  Result<void> Round(const std::stop_token& stop);
  Result<void> RemoveOld(const std::vector<SegmentFiles>& sealed, std::uint64_t growing,
                         const std::stop_token& stop);
  Result<void> Remove(const SegmentFiles& segment);
  [[nodiscard]] bool BeginsLongAgo(std::uint64_t first) const;
  Result<std::uint64_t> SayRemoved(std::uint64_t kept_from);

  // A removal that a record tells of already.
  struct Told {
    std::uint64_t kept_from = 0;
    std::uint64_t record = 0;
  };

  Log& log_;
  const Settings settings_;
  const UniqueFd directory_;
  std::optional<Told> told_;  // the thread's
  Guarded<std::optional<Error>> failure_;
  std::condition_variable_any stopped_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace tidewaiter::audit
