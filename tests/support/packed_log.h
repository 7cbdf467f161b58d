// A folder that holds a signed audit log as a broker leaves it after some days: its older segments
// compressed, the newest plain. Record n is of n hours after the epoch.
#pragma once

#include <fcntl.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "audit/log_store.h"
#include "audit/record.h"
#include "audit/segment_packer.h"
#include "base/unique_fd.h"
#include "tests/support/audit_store.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {

class PackedLog {
 public:
  static constexpr std::uint64_t kOfASegment = 4;

  // Of segments of four records. Three by itself: 0 to 3 and 4 to 7 compressed, 8 to 10 plain.
  explicit PackedLog(std::uint64_t records = 11) {
    audit::StoreSettings settings = AuditStore();
    settings.segment_age = std::chrono::milliseconds(0);  // due whenever it is asked
    auto store = audit::LogStore::Open(directory_.get(), settings, audit::FileOperations::System());
    if (!store) std::abort();
    for (std::uint64_t i = 0; i < records; ++i) {
      if (i > 0 && i % kOfASegment == 0 && !store->RotateIfDue()) std::abort();
      lines_.push_back(Line(i));
      if (!store->Append(lines_.back() + '\n')) std::abort();
    }
    if (!store->Sign()) std::abort();
    checkpoint_ = store->checkpoint();
    end_ = store->end();
    for (std::uint64_t first = 0; first < end_.segment; first += kOfASegment) Pack(first);
  }

  void Pack(std::uint64_t first) const {
    if (!audit::PackSegment(directory_.get(), first, [] { return false; })) std::abort();
  }

  [[nodiscard]] UniqueFd Directory() const {
    return UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0));
  }
  [[nodiscard]] const std::string& path() const { return folder_.path(); }
  [[nodiscard]] std::string File(std::uint64_t first, std::string_view suffix) const {
    return folder_ / audit::SegmentFileName(first, suffix);
  }
  [[nodiscard]] const std::string& checkpoint() const { return checkpoint_; }
  [[nodiscard]] const audit::LogEnd& end() const { return end_; }
  // Records [from, to), each with its line feed.
  [[nodiscard]] std::string Lines(std::uint64_t from, std::uint64_t to) const {
    std::string text;
    for (std::uint64_t i = from; i < to; ++i) text += lines_.at(i) + '\n';
    return text;
  }
  // A denial of "even" or "odd", without its line feed.
  [[nodiscard]] static std::string Line(std::uint64_t index) {
    audit::Record record;
    record.type = audit::RecordType::kRunDenied;
    record.caller.emplace().principal = index % 2 == 0 ? "even" : "odd";
    audit::EncodedRecord encoded(record, "boot", "test");
    encoded.SetTime(audit::Timestamp(std::chrono::hours(index)));
    std::string line;
    encoded.AppendTo(line, index);
    line.pop_back();
    return line;
  }

 private:
  ScratchFolder folder_;
  UniqueFd directory_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  std::vector<std::string> lines_;
  std::string checkpoint_;
  audit::LogEnd end_;
};

}  // namespace tidewaiter::testing
