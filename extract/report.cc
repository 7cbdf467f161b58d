#include "extract/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/printable.h"

namespace tidewaiter::extract {
namespace {

constexpr std::size_t kMaxLineBytes = 128;

std::string Cut(const std::string& text) {
  return text.substr(0, ReportReader::kMaxTextBytes);
}

std::optional<Code> ParseCode(std::string_view text) {
  for (int i = 0; ToString(static_cast<Code>(i)) != "unknown"; ++i) {
    if (ToString(static_cast<Code>(i)) == text) return static_cast<Code>(i);
  }
  return std::nullopt;
}

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

// The words of `line`, exactly N of them.
template <std::size_t N>
std::optional<std::array<std::string_view, N>> Words(std::string_view line) {
  std::array<std::string_view, N> words;
  for (std::size_t i = 0; i < N; ++i) {
    const std::size_t space = i + 1 < N ? line.find(' ') : line.size();
    if (space == std::string_view::npos) return std::nullopt;
    words[i] = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  return words;
}

std::optional<Summary> ParseSummary(std::string_view entries, std::string_view bytes) {
  Summary summary;
  if (!ParseNumber(entries, summary.entries) || !ParseNumber(bytes, summary.bytes)) {
    return std::nullopt;
  }
  return summary;
}

}  // namespace

std::string FormatProgress(const Summary& summary) {
  return fmt::format("progress {} {}\n", summary.entries, summary.bytes);
}

std::string FormatEnd(const Expected<Summary>& end) {
  if (end) return fmt::format("accepted {} {}\n", end->entries, end->bytes);
  const std::string message = Cut(end.error().message);
  const std::string entry = Cut(end.error().entry);
  return fmt::format("refused {} {} {}\n{}{}", ToString(end.error().code), message.size(),
                     entry.size(), message, entry);
}

bool ReportReader::Feed(std::string_view bytes) {
  pending_ += bytes;
  while (!pending_.empty()) {
    if (end_) return false;  // nothing follows the end
    if (code_) {
      if (pending_.size() < message_bytes_ + entry_bytes_) return true;
      if (!TakeRefusal()) return false;
      continue;
    }
    const std::size_t line = pending_.find('\n');
    if (line == std::string::npos) return pending_.size() <= kMaxLineBytes;
    if (line > kMaxLineBytes || !TakeLine(std::string_view(pending_).substr(0, line))) return false;
    pending_.erase(0, line + 1);
    if (code_ && message_bytes_ + entry_bytes_ == 0 && !TakeRefusal()) return false;
  }
  return true;
}

bool ReportReader::TakeLine(std::string_view line) {
  if (const auto words = Words<4>(line)) {
    const auto& [what, code, message, entry] = *words;
    code_ = ParseCode(code);
    return what == "refused" && code_ && ParseNumber(message, message_bytes_) &&
           ParseNumber(entry, entry_bytes_) && message_bytes_ <= kMaxTextBytes &&
           entry_bytes_ <= kMaxTextBytes;
  }
  const auto words = Words<3>(line);
  if (!words) return false;
  const auto& [what, entries, bytes] = *words;
  const auto summary = ParseSummary(entries, bytes);
  if (!summary) return false;
  if (what == "progress") {
    progress_ = *summary;
  } else if (what == "accepted") {
    end_ = *summary;
  } else {
    return false;
  }
  return true;
}

bool ReportReader::TakeRefusal() {
  const std::string message = pending_.substr(0, message_bytes_);
  const std::string entry = pending_.substr(message_bytes_, entry_bytes_);
  pending_.erase(0, message_bytes_ + entry_bytes_);
  // Each text was safe already; escaping again would double every backslash.
  const auto safe = [](const std::string& text) {
    return !HasControl(text) && IsUtf8(text) ? text : Printable(text, kMaxTextBytes);
  };
  end_ = Refuse(*code_, safe(message), safe(entry));
  return true;
}

}  // namespace tidewaiter::extract
