// The hashes of a Merkle tree as RFC 6962 section 2.1 (and RFC 9162 section 2.1.1) defines them: a
// leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right). One thread.
#pragma once

#include <string_view>

#include "audit/sha256.h"

namespace tidewaiter::audit {

using Hash = Sha256::Digest;

class TreeHasher {
 public:
  Hash Leaf(std::string_view entry);
  Hash Node(const Hash& left, const Hash& right);
  // The root of a tree without leaves: SHA-256 of nothing.
  Hash Empty();

 private:
  Sha256 sha_;
};

}  // namespace tidewaiter::audit
