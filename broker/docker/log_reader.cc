#include "broker/docker/log_reader.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

// From the time that a message is given until it is in the log: an engine whose disk stands still
// for longer than this is none that could be asked.
constexpr seconds kOnTheWay{30};
// What the wall clock may be set back by between two readings without harm.
constexpr seconds kMaxStep{1};
// Of an engine that passes over messages which are not asked for: a tenth of what was seen.
constexpr std::uint64_t kSkippedPerSecond = std::uint64_t{1} << 20U;

std::uint64_t& CountOf(run::LogPosition& position, run::OutputStream stream) {
  return stream == run::OutputStream::kStdout ? position.stdout_bytes : position.stderr_bytes;
}

nanoseconds Offset(const LogReader::Times& now) {
  return now.wall.time_since_epoch() - now.since_boot;
}

}  // namespace

LogReader::Times LogReader::Now() {
  timespec boot{};
  (void)::clock_gettime(CLOCK_BOOTTIME, &boot);  // cannot fail: the clock exists since Linux 2.6.39
  return {.wall = EngineTime(std::chrono::system_clock::now()),
          .since_boot = seconds(boot.tv_sec) + nanoseconds(boot.tv_nsec)};
}

Error LogReader::Incomplete() {
  incomplete_ = true;
  return Fail(ErrorCode::kResourceExhausted,
              "read log of container " + Quoted(id_) + ": the engine may have dropped some of it",
              "LOG_INCOMPLETE");
}

void LogReader::ChooseMark(const Times& now, const run::LogPosition& position) {
  const bool stepped = std::chrono::abs(Offset(now) - clock_offset_) > kMaxStep;
  const bool behind =
      position.stdout_bytes < mark_.bytes[0] || position.stderr_bytes < mark_.bytes[1];
  if (stepped || behind) mark_ = origin_;
}

Result<void> LogReader::Scan(const run::Patience& patience, const OnPiece& on_piece) {
  const seconds skipping(safe_bytes_ / kSkippedPerSecond);
  LogMessages messages;
  Result<void> parsed = Ok();
  bool wanted = true;
  TW_TRY(api_.ReadLog(id_, SinceText(mark_.since), settings_.call_timeout + skipping, patience,
                      [&](std::string_view data) {
                        parsed = messages.Feed(
                            std::as_bytes(std::span(data)),
                            [&](const LogPiece& piece) { wanted = wanted && on_piece(piece); });
                        return parsed.has_value() && wanted;
                      }));
  TW_TRY(parsed);
  return wanted ? messages.Finish() : Ok();
}

Result<LogTally> LogReader::Count(EngineTime next_since, const run::Patience& patience) {
  LogTally tally(mark_, next_since);
  TW_TRY(Scan(patience, [&](const LogPiece& piece) {
    tally.Add(piece);
    return tally.kept() < safe_bytes_;
  }));
  if (tally.kept() >= safe_bytes_) return Incomplete();
  return tally;
}

Result<bool> LogReader::Read(run::LogPosition& position, const run::LogTaker& take,
                             const run::Patience& patience) {
  if (safe_bytes_ == 0) {
    return Fail(ErrorCode::kFailedPrecondition,
                "read log of container " + Quoted(id_) + ": the engine keeps none", "LOG_NOT_KEPT");
  }
  if (incomplete_) return Incomplete();
  position.stdout_digest.clear();
  const Times now = clock_();
  ChooseMark(now, position);
  const EngineTime next_since = now.wall - kOnTheWay;

  std::optional<LogSign> expected = mark_.first;
  if (!expected) {  // at the origin only: see LogTally::Next
    TW_ASSIGN(const LogTally counted, Count(next_since, patience));
    if (counted.first_is_line()) mark_.first = origin_.first = counted.first();
    const bool more = counted.bytes(run::OutputStream::kStdout) > position.stdout_bytes ||
                      counted.bytes(run::OutputStream::kStderr) > position.stderr_bytes;
    if (!more) return true;
    expected = counted.first();
  }

  LogTally tally(mark_, next_since);
  bool dropped = false;
  bool wanted = true;
  TW_TRY(Scan(patience, [&](const LogPiece& piece) {
    const std::uint64_t begin = tally.bytes(piece.stream);
    tally.Add(piece);
    dropped = tally.first() != expected || tally.kept() >= safe_bytes_;
    if (dropped) return false;
    std::uint64_t& had = CountOf(position, piece.stream);
    const std::uint64_t known = std::min<std::uint64_t>(had - begin, piece.data.size());
    if (known == piece.data.size()) return true;
    const auto fresh = piece.data.subspan(known);
    had += fresh.size();
    wanted = take(piece.stream, fresh);
    return wanted;
  }));
  if (dropped || !tally.first()) return Incomplete();
  if (!wanted) return false;
  if (const auto next = tally.Next(); next && next->since > mark_.since) {
    mark_ = *next;
    clock_offset_ = Offset(now);
  }
  return true;
}

}  // namespace tidewaiter::docker
