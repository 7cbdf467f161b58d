// Where the hashes of a tree stand in the files that keep them: each leaf's, in order, and after it
// each subtree's that it makes perfect, from the smallest on (as golang.org/x/mod/sumdb/tlog stores
// them). So a file only grows, and each hash that a proof needs is found without reading another.
// A segment's file begins with the hash of its first leaf. Pure; any thread.
#pragma once

#include <cstdint>

#include "audit/tree_hash.h"

namespace tidewaiter::audit {

inline constexpr std::uint64_t kHashBytes = sizeof(Hash);

// How many hashes a tree of `leaves` leaves stores: 2 n minus the ones in n. Also the place of that
// leaf's own.
std::uint64_t StoredHashes(std::uint64_t leaves) noexcept;

// The place of the root of the perfect subtree of 2^level leaves that begins with leaf
// `number` * 2^level.
std::uint64_t StoredPlace(unsigned level, std::uint64_t number) noexcept;

}  // namespace tidewaiter::audit
