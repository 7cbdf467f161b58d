// Verifies one segment: its lines make the tree that its checkpoints are of. For the verifier
// (verifier.h), which puts the segments together. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/byte_source.h"
#include "audit/checkpoint.h"
#include "audit/compact_range.h"
#include "audit/hash_hints.h"
#include "audit/key_ring.h"
#include "audit/line_reader.h"
#include "audit/note_reader.h"
#include "audit/segment_name.h"
#include "audit/verdict.h"
#include "base/result.h"

namespace tidewaiter::audit {

// What is known of the log from elsewhere than the segment, by number of records.
struct KnownRoot {
  std::string name;
  Hash root = {};
  std::string note;       // believed for its signature only when the tree is that far
  bool compared = false;  // by somebody who knew its key
};
using KnownRoots = std::multimap<std::uint64_t, KnownRoot>;

class SegmentCheck {
 public:
  // `grows`: the last one, which may end amid a line.
  SegmentCheck(int directory, const SegmentFiles& files, KeyRing& keys, KnownRoots& known,
               bool grows, Verdict& verdict);

  // The tree at its beginning, by its first checkpoint; nothing where that cannot be believed
  // (which is a fault then).
  Result<std::optional<CompactRange>> Begin();
  // After Begin, in place of Run: the rest of its checkpoints, for covered().
  Result<void> ReadCheckpoints();
  // Reads it, from the tree that it goes on from.
  Result<void> Run(CompactRange tree);

  // After Run: the tree at its end, of the lines as they are.
  [[nodiscard]] const CompactRange& tree() const noexcept { return tree_; }
  // Whether every line was found good or nothing says that it is not.
  [[nodiscard]] bool whole() const noexcept { return !stopped_; }
  // The most records that a checkpoint of this segment covers.
  [[nodiscard]] std::uint64_t covered() const noexcept { return covered_; }

 private:
  // A line whose hash is not the one that it once had. Whether that means anything the next
  // checkpoint tells.
  struct Suspect {
    std::uint64_t record = 0;
    std::uint64_t offset = 0;
    Hash was = {};  // by the hints
    Hash is = {};
    std::uint64_t was_met = 0;  // how many lines later the one with the old hash came; 0: not yet
    std::uint64_t is_met = 0;   // how many records later this line had its place
  };

  Result<bool> OpenLines();
  Result<void> ComparePacked();
  Result<void> NextCheckpoint();
  Result<void> ReadAgain();
  void CheckLine(std::string_view line, std::uint64_t offset);
  Result<void> LookFurther(LineReader& lines);
  void Follow(const Hash& leaf, const std::optional<Hash>& hint);
  Result<void> CheckRoots();
  void Meet(const std::string& note, const std::vector<std::string>& signers);
  void ReportChange(std::uint64_t size, const std::string& name);
  void ReportSuspect(const std::string& evidence);
  void Report(Fault fault);

  int directory_;
  const SegmentFiles& files_;
  KeyRing& keys_;
  KnownRoots& known_;
  const bool grows_;
  Verdict& verdict_;

  std::string lines_name_;
  std::string checkpoints_name_;
  std::unique_ptr<ByteSource> source_;
  UniqueFd checkpoints_fd_;
  std::optional<FileSource> checkpoints_source_;
  std::optional<NoteReader> notes_;
  std::optional<Checkpoint> next_;
  std::string next_note_;
  std::vector<std::string> next_signers_;
  std::uint64_t next_age_ = 0;  // of the keys, when that was read
  std::uint64_t last_note_size_ = 0;

  TreeHasher hasher_;
  CompactRange tree_;
  HashHints hints_;
  std::optional<Suspect> suspect_;
  std::uint64_t good_ = 0;  // records that a checkpoint holds for
  std::uint64_t covered_ = 0;
  bool stopped_ = false;
};

}  // namespace tidewaiter::audit
