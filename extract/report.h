// What the worker says on its pipe: lines of ASCII, the last of which tells how it ended.
//   progress ENTRIES BYTES
//   accepted ENTRIES BYTES
//   refused CODE MESSAGE_BYTES ENTRY_BYTES     followed by that many bytes of each
// The reader takes the writer for hostile: a worker may have been taken over by what it reads.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "extract/extraction.h"
#include "extract/refusal.h"

namespace tidewaiter::extract {

std::string FormatProgress(const Summary& summary);
std::string FormatEnd(const Expected<Summary>& end);

class ReportReader {
 public:
  // More than this is no report.
  static constexpr std::size_t kMaxTextBytes = 4096;

  // The next bytes of the pipe; false where they are no report.
  bool Feed(std::string_view bytes);

  // The last progress.
  [[nodiscard]] const Summary& progress() const noexcept { return progress_; }
  // Once it has been said how it ended. The texts are made safe to print again.
  [[nodiscard]] const std::optional<Expected<Summary>>& end() const noexcept { return end_; }

 private:
  bool TakeLine(std::string_view line);
  bool TakeRefusal();

  std::string pending_;
  Summary progress_;
  std::optional<Code> code_;  // of a refusal whose texts are still to come
  std::size_t message_bytes_ = 0;
  std::size_t entry_bytes_ = 0;
  std::optional<Expected<Summary>> end_;
};

}  // namespace tidewaiter::extract
