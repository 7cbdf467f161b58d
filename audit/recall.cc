#include "audit/recall.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "audit/record.h"
#include "audit/segment_name.h"
#include "audit/tree_hash.h"

namespace tidewaiter::audit {
namespace {

constexpr std::string_view kEmpty = "empty ";

// The index in "INDEX HASH". Of a mark from before the first record, and of what is no mark: 0.
std::uint64_t IndexOf(std::string_view mark) {
  std::uint64_t index = 0;
  std::from_chars(mark.data(), mark.data() + mark.size(), index);
  return index;
}

// The mark of this log before its first record, as far as that can be known.
std::string EmptyMark(int directory) {
  struct stat status {};
  const std::string first = SegmentFileName(0, kLinesSuffix);
  if (::fstatat(directory, first.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return {};
  return fmt::format("{}{}", kEmpty, status.st_ino);
}

}  // namespace

void RunStanding::Note(std::string_view type) noexcept {
  if (type == ToString(RecordType::kRunAdmitted)) admitted = true;
  if (type == ToString(RecordType::kRunFinished)) finished = true;
  if (type == ToString(RecordType::kRunExpired)) expired = true;
}

Result<void> RecallRuns(UniqueFd directory, const LogEnd& end,
                        const std::map<std::string, std::string>& runs,
                        std::map<std::string, RunStanding>& standings) {
  std::uint64_t from = std::numeric_limits<std::uint64_t>::max();
  std::set<std::uint64_t> marked;
  for (const auto& [run, mark] : runs) {
    const std::uint64_t index = IndexOf(mark);
    marked.insert(index);
    from = std::min(from, index);
  }
  std::set<std::string> met{EmptyMark(directory.get())};
  RecordReader reader(std::move(directory), from, end);
  TreeHasher hasher;
  std::uint64_t next = 0;
  while (true) {
    TW_ASSIGN(const std::optional<ReadRecord> record, reader.Next());
    if (!record) break;
    if (!record->header) continue;
    const RecordHeader& header = *record->header;
    // What is missing here may have had a record of any run that is marked before it.
    if (header.index != next) met.clear();
    next = header.index + 1;
    if (marked.contains(header.index)) {
      met.insert(fmt::format("{} {:02x}", header.index, fmt::join(hasher.Leaf(record->line), "")));
    }
    if (header.run_id.empty()) continue;
    const auto standing = standings.find(std::string(header.run_id));
    if (standing != standings.end()) standing->second.Note(header.type);
  }
  if (next != end.next_index) met.clear();
  for (auto& [run, standing] : standings) {
    const std::string& mark = runs.at(run);
    const bool sure = !mark.empty() && met.contains(mark);
    standing.unsure = !standing.admitted && !standing.finished && !standing.expired && !sure;
  }
  return Ok();
}

}  // namespace tidewaiter::audit
