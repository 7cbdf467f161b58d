#include "tests/support/stand_in_log.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <functional>

#include "tests/support/stand_in_recordings.h"

namespace tidewaiter::testing {

using nlohmann::json;

namespace {

constexpr std::size_t kAttachedPiece = 32768;
constexpr std::size_t kLogPiece = 16384;

// In pieces of at most that size, `by_line` also cut after each line, until `take` returns false.
bool ForEachPiece(const json& command, std::size_t size, bool by_line,
                  const std::function<bool(std::string_view)>& take) {
  if (!command.is_array() || command.size() != 2) return true;
  const std::string word = command[1].get<std::string>();
  if (command[0] == "flood") {
    const std::string block(size, 'x');
    for (std::size_t left = std::stoul(word); left > 0;) {
      const std::size_t here = std::min(left, size);
      if (!take(std::string_view(block).substr(0, here))) return false;
      left -= here;
    }
    return true;
  }
  if (command[0] != "print" && command[0] != "say") return true;
  for (std::string_view left = word; !left.empty();) {
    std::string_view here = left.substr(0, size);
    if (by_line) here = here.substr(0, std::min(here.find('\n'), here.size() - 1) + 1);
    if (!take(here)) return false;
    left.remove_prefix(here.size());
  }
  return true;
}

}  // namespace

std::string EngineTimeText(std::optional<StandInTime> time) {
  if (!time) return "0001-01-01T00:00:00Z";
  const auto day = std::chrono::floor<std::chrono::days>(*time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(*time - day);
  std::array<char, 40> text{};
  static_cast<void>(std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%09ldZ",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
      static_cast<long>(clock.subseconds().count())));
  return text.data();
}

bool SendOutput(const json& command, StandInConnection& connection) {
  return ForEachPiece(command, kAttachedPiece, false,
                      [&](std::string_view piece) { return connection.Raw(Frame(piece)); });
}

void AnswerLog(const json& command, const json& host_config, std::optional<StandInTime> started_at,
               const std::string& query, StandInConnection& connection) {
  const json driver = host_config.value("LogConfig", json::object()).value("Type", "");
  if (driver == "none") {
    connection.Answer(501, Message("configured logging driver does not support reading"));
    return;
  }
  if (!started_at) {
    connection.Answer(200, "", "");
    return;
  }
  const std::string since = QueryValue(query, "since");
  const std::size_t dot = std::min(since.find('.'), since.size());
  std::chrono::nanoseconds from(0);
  if (!since.empty()) {
    from = std::chrono::seconds(std::stoll(since.substr(0, dot))) +
           std::chrono::nanoseconds(dot < since.size() ? std::stoll(since.substr(dot + 1)) : 0);
  }
  connection.CloseAfterwards();
  if (!connection.BeginChunks()) return;
  // Lines have times of their own; pieces of one line share its time.
  // 20.10 forgets the ends of those.
  StandInTime time = *started_at;
  bool in_line = false;
  const bool whole = ForEachPiece(command, kLogPiece, true, [&](std::string_view message) {
    const bool wanted = time.time_since_epoch() >= from;
    const bool ends = message.ends_with('\n');
    const std::string_view kept = message.substr(0, message.size() - (ends && in_line ? 1 : 0));
    if (wanted && !connection.Chunk(Frame(EngineTimeText(time) + " " + std::string(kept)))) {
      return false;
    }
    in_line = !ends;
    if (ends) time += std::chrono::microseconds(1);
    return true;
  });
  if (whole) connection.Chunk("");
}

}  // namespace tidewaiter::testing
