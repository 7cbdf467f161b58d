// A folder that holds an audit log of records of the test's own, with the times that it gives them.
// No broker, no checkpoints.
#pragma once

#include <fstream>
#include <string>

#include "audit/record.h"
#include "audit/segment_name.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {

class LogFolder {
 public:
  // Appends a record; the next index is its.
  std::string Add(const audit::Record& record, audit::Timestamp when = {}) {
    audit::EncodedRecord encoded(record, "boot", "broker");
    encoded.SetTime(when);
    std::string line;
    encoded.AppendTo(line, next_index_++);
    AddBytes(line);
    line.pop_back();
    return line;
  }
  void AddBytes(const std::string& bytes) {
    std::ofstream(path() + "/" + audit::SegmentFileName(segment_, audit::kLinesSuffix),
                  std::ios::binary | std::ios::app)
        << bytes;
  }
  void BeginSegment() { segment_ = next_index_; }

  [[nodiscard]] const std::string& path() const { return folder_.path(); }

 private:
  ScratchFolder folder_;
  std::uint64_t segment_ = 0;
  std::uint64_t next_index_ = 0;
};

}  // namespace tidewaiter::testing
