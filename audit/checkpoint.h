// What a log commits itself to: how many records it has, and the root of their Merkle tree. The
// text of a signed note in the form of C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint):
// origin, size, base64 of the root, a line each. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/compact_range.h"
#include "audit/tree_hash.h"
#include "base/result.h"

namespace tidewaiter::audit {

struct Checkpoint {
  std::string origin;  // the log's name: its key's
  std::uint64_t size = 0;
  Hash root = {};
  // Extension lines, as they stand. That with which a segment begins has the edge of its tree
  // there: see Edge().
  std::vector<std::string> extensions = {};

  // Whose log it is of must be asked of the origin: a note may be signed by a key that speaks for
  // another. Errors: INVALID_ARGUMENT.
  static Result<Checkpoint> Parse(std::string_view text);
  [[nodiscard]] std::string ToString() const;

  // One with the edge: the tree goes on from it where its records are not there any more.
  static Checkpoint WithEdge(std::string origin, const CompactRange& tree);
  // The edge: base64 of the roots of the perfect subtrees that the records fall into, largest
  // first, a line each. Errors: INVALID_ARGUMENT where they do not make the root.
  [[nodiscard]] Result<CompactRange> Edge() const;

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

}  // namespace tidewaiter::audit
