// The Merkle tree of the log and its proofs: against the test data that Certificate Transparency's
// implementations share, RFC 6962's worked examples, and its definitions, written out again here as
// they stand there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <functional>
#include <string>
#include <vector>

#include "audit/tree_proof.h"

namespace tidewaiter::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Entries = std::vector<std::string>;

// RFC 6962 section 2.1, by its words: whole lists, split and split again.
namespace rfc6962 {

Hash Sha(const std::string& bytes) {
  Hash hash;
  ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), hash.data());
  return hash;
}
std::string Text(const Hash& hash) {
  return {hash.begin(), hash.end()};
}
std::size_t K(std::size_t n) {
  std::size_t k = 1;
  while (2 * k < n) k *= 2;
  return k;
}
Entries Slice(const Entries& d, std::size_t begin, std::size_t end) {
  return {d.begin() + static_cast<std::ptrdiff_t>(begin),
          d.begin() + static_cast<std::ptrdiff_t>(end)};
}
Hash Mth(const Entries& d) {
  if (d.empty()) return Sha("");
  if (d.size() == 1) return Sha(std::string(1, '\0') + d[0]);
  const std::size_t k = K(d.size());
  return Sha("\x01" + Text(Mth(Slice(d, 0, k))) + Text(Mth(Slice(d, k, d.size()))));
}
Proof operator+(Proof proof, const Hash& last) {
  proof.push_back(last);
  return proof;
}
Proof Path(std::size_t m, const Entries& d) {
  if (d.size() == 1) return {};
  const std::size_t k = K(d.size());
  const Entries left = Slice(d, 0, k);
  const Entries right = Slice(d, k, d.size());
  return m < k ? Path(m, left) + Mth(right) : Path(m - k, right) + Mth(left);
}
Proof SubProof(std::size_t m, const Entries& d, bool b) {
  if (m == d.size()) return b ? Proof() : Proof{Mth(d)};
  const std::size_t k = K(d.size());
  const Entries left = Slice(d, 0, k);
  const Entries right = Slice(d, k, d.size());
  return m <= k ? SubProof(m, left, b) + Mth(right) : SubProof(m - k, right, false) + Mth(left);
}

}  // namespace rfc6962

std::string Hexadecimal(const Hash& hash) {
  return ToString(hash).substr(7);
}

Entries Numbered(std::size_t count) {
  Entries entries;
  for (std::size_t i = 0; i < count; ++i) entries.push_back("entry " + std::to_string(i));
  return entries;
}

class MerkleTree : public ::testing::Test {
 protected:
  CompactRange Tree(const Entries& entries) {
    CompactRange tree;
    for (const std::string& entry : entries) tree.Append(hasher_, hasher_.Leaf(entry));
    return tree;
  }
  Hash Root(const Entries& entries) { return Tree(entries).Root(hasher_); }
  std::optional<Proof> Build(std::optional<ProofBuilder> builder, const Entries& entries,
                             std::size_t known = 0) {
    if (!builder || !builder->Begin(Tree(rfc6962::Slice(entries, 0, known)))) return std::nullopt;
    for (std::size_t i = known; i < entries.size(); ++i) {
      builder->Add(hasher_, hasher_.Leaf(entries[i]));
    }
    return builder->Finish(hasher_);
  }
  // What an attacker could make of a proof: each hash changed, dropped, doubled, two swapped.
  static void ForEachForgery(const Proof& proof, const std::function<void(const Proof&)>& visit) {
    for (std::size_t i = 0; i < proof.size(); ++i) {
      Proof forged = proof;
      forged[i][i % forged[i].size()] ^= 1U;
      visit(forged);
      forged = proof;
      forged.erase(forged.begin() + static_cast<std::ptrdiff_t>(i));
      visit(forged);
      forged = proof;
      forged.insert(forged.begin() + static_cast<std::ptrdiff_t>(i), proof[i]);
      visit(forged);
      if (i + 1 == proof.size()) continue;
      forged = proof;
      std::swap(forged[i], forged[i + 1]);
      visit(forged);
    }
  }

  TreeHasher hasher_;
};

TEST_F(MerkleTree, HasTheRootsOfTheSharedTestData) {
  const Entries entries = {
      "",
      std::string(1, '\x00'),
      "\x10",
      "\x20\x21",
      "\x30\x31",
      "\x40\x41\x42\x43",
      "\x50\x51\x52\x53\x54\x55\x56\x57",
      "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
  };
  const std::vector<std::string> roots = {
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  };
  for (std::size_t size = 0; size < roots.size(); ++size) {
    EXPECT_EQ(Hexadecimal(Root(rfc6962::Slice(entries, 0, size))), roots[size]) << size;
  }
}

// Section 2.1.3: seven leaves, and the nodes by their letters there.
TEST_F(MerkleTree, ProvesTheWorkedExamples) {
  const Entries entries = Numbered(7);
  std::vector<Hash> leaf;
  for (const std::string& entry : entries) leaf.push_back(hasher_.Leaf(entry));
  const Hash g = hasher_.Node(leaf[0], leaf[1]);
  const Hash h = hasher_.Node(leaf[2], leaf[3]);
  const Hash i = hasher_.Node(leaf[4], leaf[5]);
  const Hash j = leaf[6];
  const Hash k = hasher_.Node(g, h);
  const Hash l = hasher_.Node(i, j);
  ASSERT_EQ(Root(entries), hasher_.Node(k, l));

  const auto path = [&](std::uint64_t index) {
    return *Build(ProofBuilder::Inclusion(index, 7), entries);
  };
  EXPECT_THAT(path(0), ElementsAre(leaf[1], h, l));
  EXPECT_THAT(path(3), ElementsAre(leaf[2], g, l));
  EXPECT_THAT(path(4), ElementsAre(leaf[5], j, k));
  EXPECT_THAT(path(6), ElementsAre(i, k));

  const auto proof = [&](std::uint64_t old_size) {
    return *Build(ProofBuilder::Consistency(old_size, 7), entries);
  };
  EXPECT_THAT(proof(3), ElementsAre(leaf[2], leaf[3], g, l));
  EXPECT_THAT(proof(4), ElementsAre(l));
  EXPECT_THAT(proof(6), ElementsAre(i, j, k));
}

TEST_F(MerkleTree, EveryRootIsThatOfTheDefinition) {
  for (std::size_t size = 0; size <= 130; ++size) {
    EXPECT_EQ(Root(Numbered(size)), rfc6962::Mth(Numbered(size))) << size;
  }
}

TEST_F(MerkleTree, EveryInclusionIsProvedAsTheDefinitionDoesAndChecks) {
  for (std::size_t size = 1; size <= 33; ++size) {
    const Entries entries = Numbered(size);
    for (std::size_t index = 0; index < size; ++index) {
      const auto proof = Build(ProofBuilder::Inclusion(index, size), entries);
      ASSERT_TRUE(proof) << index << " of " << size;
      EXPECT_EQ(*proof, rfc6962::Path(index, entries)) << index << " of " << size;
      EXPECT_EQ(RootByInclusion(hasher_, index, size, hasher_.Leaf(entries[index]), *proof),
                Root(entries))
          << index << " of " << size;
    }
  }
}

TEST_F(MerkleTree, EveryConsistencyIsProvedAsTheDefinitionDoesAndChecks) {
  for (std::size_t size = 1; size <= 33; ++size) {
    const Entries entries = Numbered(size);
    for (std::size_t old_size = 1; old_size <= size; ++old_size) {
      const auto proof = Build(ProofBuilder::Consistency(old_size, size), entries);
      ASSERT_TRUE(proof) << old_size << " of " << size;
      EXPECT_EQ(*proof, rfc6962::SubProof(old_size, entries, true)) << old_size << " of " << size;
      const Hash old_root = Root(rfc6962::Slice(entries, 0, old_size));
      EXPECT_TRUE(IsConsistent(hasher_, old_size, old_root, size, Root(entries), *proof))
          << old_size << " of " << size;
    }
  }
}

// As where the first records' files are gone and the edge of their tree was kept.
TEST_F(MerkleTree, ProofsOfWhatFollowsNeedTheEdgeOfWhatIsGoneOnly) {
  for (std::size_t size = 1; size <= 20; ++size) {
    const Entries entries = Numbered(size);
    for (std::size_t gone = 0; gone <= size; ++gone) {
      for (std::size_t index = 0; index < size; ++index) {
        const auto proof = Build(ProofBuilder::Inclusion(index, size), entries, gone);
        ASSERT_TRUE(proof || index < gone) << index << " of " << size << " from " << gone;
        if (!proof) continue;
        EXPECT_EQ(*proof, rfc6962::Path(index, entries));
      }
      for (std::size_t old_size = std::max<std::size_t>(gone, 1); old_size <= size; ++old_size) {
        const auto proof = Build(ProofBuilder::Consistency(old_size, size), entries, gone);
        ASSERT_TRUE(proof) << old_size << " of " << size << " from " << gone;
        EXPECT_EQ(*proof, rfc6962::SubProof(old_size, entries, true));
      }
    }
  }
}

TEST_F(MerkleTree, AnEntryWithinWhatIsGoneCannotBeProved) {
  EXPECT_FALSE(ProofBuilder::Inclusion(1, 8)->Begin(Tree(Numbered(4))));
}

TEST_F(MerkleTree, NothingIsProvedWhereLeavesAreMissing) {
  EXPECT_FALSE(Build(ProofBuilder::Inclusion(1, 8), Numbered(7)));
  EXPECT_FALSE(Build(ProofBuilder::Consistency(3, 8), Numbered(7)));
}

TEST_F(MerkleTree, WhatIsNotThereIsNotProved) {
  EXPECT_FALSE(ProofBuilder::Inclusion(0, 0));
  EXPECT_FALSE(ProofBuilder::Inclusion(7, 7));
  EXPECT_FALSE(ProofBuilder::Inclusion(8, 7));
  EXPECT_FALSE(ProofBuilder::Consistency(8, 7));
  EXPECT_FALSE(ProofBuilder::Consistency(1, 0));
}

// As many as 64 bits can count: nothing overflows, and nothing takes long.
TEST_F(MerkleTree, SizesThatNoLogHasAreNoHarm) {
  constexpr std::uint64_t kHalf = std::uint64_t{1} << 63U;
  const Hash some = hasher_.Leaf("some");
  for (const std::uint64_t size : {kHalf - 1, kHalf, kHalf + 1, UINT64_MAX}) {
    for (const std::uint64_t index : {std::uint64_t{0}, kHalf - 1, kHalf, size - 1}) {
      for (const std::size_t hashes : {0U, 1U, 63U, 64U, 65U, 66U}) {
        const Proof proof(hashes, some);
        const auto root = RootByInclusion(hasher_, index, size, some, proof);
        EXPECT_TRUE(!root || hashes >= 1) << index << " of " << size << " by " << hashes;
        EXPECT_FALSE(IsConsistent(hasher_, index, some, size, hasher_.Empty(), proof));
      }
    }
    EXPECT_TRUE(ProofBuilder::Inclusion(size - 1, size));
    EXPECT_TRUE(ProofBuilder::Consistency(size / 2, size));
  }
}

TEST_F(MerkleTree, AForgedInclusionGivesAnotherRoot) {
  for (std::size_t size = 1; size <= 17; ++size) {
    const Entries entries = Numbered(size);
    const Hash root = Root(entries);
    for (std::size_t index = 0; index < size; ++index) {
      const Hash leaf = hasher_.Leaf(entries[index]);
      const Proof proof = rfc6962::Path(index, entries);
      EXPECT_NE(RootByInclusion(hasher_, index, size, hasher_.Leaf("forged"), proof), root);
      EXPECT_EQ(RootByInclusion(hasher_, size, size, leaf, proof), std::nullopt);
      for (std::size_t other = 0; other < size; ++other) {
        if (other == index) continue;
        EXPECT_NE(RootByInclusion(hasher_, other, size, leaf, proof), root);
      }
      ForEachForgery(proof, [&](const Proof& forged) {
        EXPECT_NE(RootByInclusion(hasher_, index, size, leaf, forged), root);
      });
    }
  }
}

TEST_F(MerkleTree, AForgedConsistencyDoesNotCheck) {
  for (std::size_t size = 2; size <= 17; ++size) {
    const Entries entries = Numbered(size);
    const Hash root = Root(entries);
    for (std::size_t old_size = 1; old_size < size; ++old_size) {
      const Hash old_root = Root(rfc6962::Slice(entries, 0, old_size));
      const Proof proof = rfc6962::SubProof(old_size, entries, true);
      EXPECT_FALSE(IsConsistent(hasher_, old_size, hasher_.Leaf(""), size, root, proof));
      EXPECT_FALSE(IsConsistent(hasher_, old_size, old_root, size, hasher_.Leaf(""), proof));
      EXPECT_FALSE(IsConsistent(hasher_, size, root, old_size, old_root, proof));
      ForEachForgery(proof, [&](const Proof& forged) {
        EXPECT_FALSE(IsConsistent(hasher_, old_size, old_root, size, root, forged));
      });
    }
  }
}

TEST_F(MerkleTree, ATreeIsConsistentWithItselfAndWithNone) {
  const Hash root = Root(Numbered(5));
  const Hash other = Root(Numbered(6));
  const Hash none = hasher_.Empty();
  EXPECT_THAT(Build(ProofBuilder::Consistency(5, 5), Numbered(5)), ::testing::Optional(IsEmpty()));
  EXPECT_TRUE(IsConsistent(hasher_, 5, root, 5, root, {}));
  EXPECT_FALSE(IsConsistent(hasher_, 5, root, 5, other, {}));
  EXPECT_FALSE(IsConsistent(hasher_, 5, root, 5, root, {root}));
  EXPECT_THAT(Build(ProofBuilder::Consistency(0, 5), Numbered(5)), ::testing::Optional(IsEmpty()));
  EXPECT_TRUE(IsConsistent(hasher_, 0, none, 5, root, {}));
  EXPECT_FALSE(IsConsistent(hasher_, 0, root, 5, root, {}));
  EXPECT_FALSE(IsConsistent(hasher_, 0, none, 5, root, {root}));
}

TEST_F(MerkleTree, AnEdgeThatWasKeptGoesOn) {
  for (std::size_t size = 0; size <= 40; ++size) {
    const CompactRange tree = Tree(Numbered(size));
    auto again = CompactRange::Of(size, tree.roots());
    ASSERT_TRUE(again);
    again->Append(hasher_, hasher_.Leaf("entry " + std::to_string(size)));
    EXPECT_EQ(again->Root(hasher_), Root(Numbered(size + 1)));
  }
  EXPECT_FALSE(CompactRange::Of(3, {hasher_.Empty()}));
  EXPECT_FALSE(CompactRange::Of(0, {hasher_.Empty()}));
}

}  // namespace
}  // namespace tidewaiter::audit
