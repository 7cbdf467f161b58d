// What a verification of a log found. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidewaiter::audit {

enum class FaultKind {
  kChanged,     // a record is not the one that was signed
  kMissing,     // records are not there
  kInserted,    // there is one more than was signed
  kReordered,   // two records have changed places
  kTruncated,   // the log ends before what a checkpoint covers
  kCheckpoint,  // a checkpoint is not what it must be: not signed by the key, of another log,
                // damaged
  kForked,  // the log is whole in itself, and not the one that a checkpoint from elsewhere is of
};

// "changed" and so on.
std::string_view ToString(FaultKind kind) noexcept;

struct Fault {
  FaultKind kind = FaultKind::kChanged;
  std::uint64_t record = 0;                  // the first that is bad: its index
  std::uint64_t count = 1;                   // how many from there on are, or may be
  std::string file = {};                     // name in the folder
  std::optional<std::uint64_t> offset = {};  // byte in it, where it is a line
  std::string message = {};                  // a sentence
};

// The most faults that are kept: what follows the first is seldom news.
inline constexpr std::size_t kMaxFaults = 100;

struct Verdict {
  std::uint64_t first_record = 0;  // records before it have been removed
  std::uint64_t removed_to = 0;    // as far as the log says so itself
  std::uint64_t next_record = 0;   // behind the last whole one
  std::uint64_t segments = 0;
  std::uint64_t checkpoints = 0;     // that hold
  std::uint64_t signed_records = 0;  // that the newest of them covers
  std::string newest;                // the newest of them, a signed note
  std::uint64_t bytes = 0;           // of the records' lines
  std::vector<Fault> faults;         // in the order of the log
  bool more_faults = false;
  std::vector<std::string> remarks;  // what a person should know and is no fault
  [[nodiscard]] bool Holds() const noexcept { return faults.empty() && !more_faults; }
};

}  // namespace tidewaiter::audit
