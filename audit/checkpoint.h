// What a log commits itself to: how many records it has, and the root of their Merkle tree. The
// text of a signed note in the form of C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint):
// origin, size, base64 of the root, a line each. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/tree_hash.h"
#include "base/result.h"

namespace tidewaiter::audit {

struct Checkpoint {
  std::string origin;  // the log's name: its key's
  std::uint64_t size = 0;
  Hash root = {};

  // Extension lines, of which Tidewaiter writes none, are passed over. Whose log it is of must be
  // asked of the origin: a note may be signed by a key that speaks for another. Errors:
  // INVALID_ARGUMENT.
  static Result<Checkpoint> Parse(std::string_view text);
  [[nodiscard]] std::string ToString() const;

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

}  // namespace tidewaiter::audit
