// A folder that holds a signed audit log of records of the test's own, with the times that it gives
// them.
#pragma once

#include <fcntl.h>

#include <string>

#include "audit/log_store.h"
#include "audit/record.h"
#include "base/unique_fd.h"
#include "tests/support/audit_store.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {

class SignedLog {
 public:
  void Add(const audit::Record& record, audit::Timestamp when = {}) {
    audit::EncodedRecord encoded(record, "6f1c1c1e-8a0b-4a52-9a3e-0c6c1f1f3d3a", "test");
    encoded.SetTime(when);
    encoded.AppendTo(lines_, next_index_++);
  }
  // Writes what was added, and signs for it.
  void Sign() {
    if (!lines_.empty() && !store_.Append(lines_)) std::abort();
    lines_.clear();
    if (!store_.Sign()) std::abort();
  }

  [[nodiscard]] const std::string& path() const { return folder_.path(); }
  [[nodiscard]] std::string FirstFile() const { return folder_ / FirstSegment(); }
  [[nodiscard]] static std::string Key() { return AuditKey()->verifier().ToString(); }

 private:
  [[nodiscard]] static audit::LogStore Open(int directory) {
    auto store = audit::LogStore::Open(directory, AuditStore(), audit::FileOperations::System());
    if (!store) std::abort();
    return *std::move(store);
  }

  ScratchFolder folder_;
  UniqueFd directory_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  audit::LogStore store_ = Open(directory_.get());
  std::string lines_;
  std::uint64_t next_index_ = 0;
};

}  // namespace tidewaiter::testing
