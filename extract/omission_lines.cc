#include "extract/omission_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/printable.h"

namespace tidewaiter::extract {
namespace {

// Longer than that of any path that is packed, escaped.
constexpr std::size_t kMaxLineBytes = 8192;
constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxMessage = 400;

// The word before the first space, which is taken away with it.
std::string_view NextWord(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  return word;
}

std::optional<std::uint64_t> Number(std::string_view word) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return number;
}

bool IsCode(std::string_view word) {
  return !word.empty() && word.size() <= 64 && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// Whether it is as Printable leaves a path: what that has escaped is not escaped a second time.
bool IsPrintable(std::string_view path) {
  std::string plain(path);
  std::replace(plain.begin(), plain.end(), '\\', '/');
  return path.size() <= kMaxPath && Printable(plain, kMaxPath) == plain;
}

}  // namespace

std::string FormatOmission(const Omission& omission) {
  return fmt::format("omitted {} {}\n", ToString(omission.code), omission.path);
}

std::string FormatSent(std::uint64_t archive_bytes) {
  return fmt::format("sent {}\n", archive_bytes);
}

std::string FormatPacked(const Summary& summary, std::uint64_t omitted) {
  return fmt::format("packed {} {} {}\n", summary.entries, summary.bytes, omitted);
}

void OmissionReader::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    line_.append(part.substr(0, kMaxLineBytes - std::min(kMaxLineBytes, line_.size())));
    if (end == std::string_view::npos) return;
    TakeLine(line_);
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void OmissionReader::TakeLine(std::string_view line) {
  std::string_view rest = line;
  const std::string_view verb = NextWord(rest);
  const std::string_view first = NextWord(rest);
  if (verb == "omitted" && IsCode(first) && !rest.empty()) {
    if (omitted_ || listed_ == kMaxListedOmissions) return;
    ++listed_;
    // It was made so where it was packed, or somebody else wrote it.
    if (IsPrintable(rest)) {
      take_(first, rest);
    } else {
      take_(first, Printable(rest, kMaxPath));
    }
    return;
  }
  if (verb == "sent" && rest.empty() && Number(first)) {
    sent_ = Number(first);
    return;
  }
  const std::string_view bytes = NextWord(rest);
  const auto omitted = Number(rest);
  if (verb == "packed" && Number(first) && Number(bytes) && omitted) {
    omitted_ = omitted;
    return;
  }
  if (message_.size() >= kMaxMessage) return;
  if (!message_.empty()) message_ += '\n';
  message_ += line.substr(0, kMaxMessage);
}

std::string OmissionReader::message() const {
  const std::string all = message_ + (message_.empty() || line_.empty() ? "" : "\n") + line_;
  return Printable(all, kMaxMessage);
}

}  // namespace tidewaiter::extract
