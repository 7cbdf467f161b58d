// The worked example of RFC 6962 (section 2.1.3), which is that of RFC 9162 (section 2.1.5), as
// literal hashes: of the leaves that Certificate Transparency's implementations share as test data.
// Whatever computes these hashes is not asked here what they should be.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "audit/tree_proof.h"

namespace tidewaiter::audit {
namespace {

const std::array<std::string, 8> kEntries = {
    "",
    std::string(1, '\x00'),
    "\x10",
    "\x20\x21",
    "\x30\x31",
    "\x40\x41\x42\x43",
    "\x50\x51\x52\x53\x54\x55\x56\x57",
    "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
};

// The nodes by their letters in the RFCs' figure:
//
//              hash
//             /    \                    d0 to d6 are the first seven entries; a, b, c, d, e, f
//            k      l                   and j the hashes of their leaves.
//           / \    / \                  .
//          g   h  i   j
//         /|  /|  |\   \                .
//        a b c d  e f   d6
const std::string kA = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
const std::string kB = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const std::string kC = "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7";
const std::string kD = "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7";
const std::string kE = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const std::string kF = "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658";
const std::string kJ = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f";
const std::string kG = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125";
const std::string kH = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const std::string kI = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const std::string kK = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
const std::string kL = "837dbb152e9b079010717e84e865da4ebc0fa198a806d59d31bf15accef22d0e";
const std::string kHash = "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c";
// The roots of the first three, four and six: hash0, hash1 and hash2 there.
const std::string kHash0 = "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77";
const std::string kHash1 = kK;
const std::string kHash2 = "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef";
// Of all eight entries, as the shared test data have them.
const std::string kRootOf8 = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";

std::string Hexadecimal(const Hash& hash) {
  return ToString(hash).substr(7);
}

Hash HashOf(const std::string& hexadecimal) {
  Hash hash{};
  for (std::size_t i = 0; i < hash.size(); ++i) {
    hash[i] = static_cast<std::uint8_t>(std::stoul(hexadecimal.substr(2 * i, 2), nullptr, 16));
  }
  return hash;
}

Proof ProofOf(const std::vector<std::string>& nodes) {
  Proof proof;
  std::transform(nodes.begin(), nodes.end(), std::back_inserter(proof), HashOf);
  return proof;
}

class RfcExamples : public ::testing::Test {
 protected:
  std::vector<std::string> Build(std::optional<ProofBuilder> builder, std::size_t size) {
    if (!builder) return {"none"};
    for (std::size_t i = 0; i < size; ++i) builder->Add(hasher_, hasher_.Leaf(kEntries.at(i)));
    const auto proof = builder->Finish(hasher_);
    if (!proof) return {"unfinished"};
    std::vector<std::string> nodes;
    std::transform(proof->begin(), proof->end(), std::back_inserter(nodes), Hexadecimal);
    return nodes;
  }
  std::vector<std::string> Path(std::uint64_t index, std::size_t size = 7) {
    return Build(ProofBuilder::Inclusion(index, size), size);
  }
  std::vector<std::string> Consistency(std::uint64_t old_size, std::size_t size = 7) {
    return Build(ProofBuilder::Consistency(old_size, size), size);
  }
  bool Includes(std::uint64_t index, const std::string& leaf, const std::vector<std::string>& path,
                std::uint64_t size = 7, const std::string& root = kHash) {
    return RootByInclusion(hasher_, index, size, HashOf(leaf), ProofOf(path)) == HashOf(root);
  }
  bool GoesOn(std::uint64_t old_size, const std::string& old_root,
              const std::vector<std::string>& proof, std::uint64_t size = 7,
              const std::string& root = kHash) {
    return IsConsistent(hasher_, old_size, HashOf(old_root), size, HashOf(root), ProofOf(proof));
  }
  std::string Node(const std::string& left, const std::string& right) {
    return Hexadecimal(hasher_.Node(HashOf(left), HashOf(right)));
  }

  TreeHasher hasher_;
};

using Nodes = std::vector<std::string>;

TEST_F(RfcExamples, TheLeavesAreThoseOfTheFigure) {
  const std::array<std::string, 7> leaves = {kA, kB, kC, kD, kE, kF, kJ};
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_EQ(Hexadecimal(hasher_.Leaf(kEntries.at(i))), leaves.at(i)) << "d" << i;
  }
}

TEST_F(RfcExamples, TheNodesAreThoseOfTheFigure) {
  EXPECT_EQ(Node(kA, kB), kG);
  EXPECT_EQ(Node(kC, kD), kH);
  EXPECT_EQ(Node(kE, kF), kI);
  EXPECT_EQ(Node(kG, kH), kK);
  EXPECT_EQ(Node(kI, kJ), kL);
  EXPECT_EQ(Node(kK, kL), kHash);
}

// "The audit path for d0 is [b, h, l]", and so on.
TEST_F(RfcExamples, TheAuditPathsAreThoseOfTheText) {
  EXPECT_EQ(Path(0), (Nodes{kB, kH, kL}));
  EXPECT_EQ(Path(3), (Nodes{kC, kG, kL}));
  EXPECT_EQ(Path(4), (Nodes{kF, kJ, kK}));
  EXPECT_EQ(Path(6), (Nodes{kI, kK}));
}

TEST_F(RfcExamples, TheAuditPathsOfTheTextCheck) {
  EXPECT_TRUE(Includes(0, kA, {kB, kH, kL}));
  EXPECT_TRUE(Includes(3, kD, {kC, kG, kL}));
  EXPECT_TRUE(Includes(4, kE, {kF, kJ, kK}));
  EXPECT_TRUE(Includes(6, kJ, {kI, kK}));
  EXPECT_FALSE(Includes(6, kJ, {kK, kI})) << "in another order";
  EXPECT_FALSE(Includes(3, kC, {kC, kG, kL})) << "another leaf";
}

// "PROOF(3, D[7]) = [c, d, g, l]. c, g are used to verify hash0, and d, l are additionally used to
// show hash is consistent with hash0", and so on.
TEST_F(RfcExamples, TheConsistencyProofsAreThoseOfTheText) {
  EXPECT_EQ(Consistency(3), (Nodes{kC, kD, kG, kL}));
  EXPECT_EQ(Consistency(4), (Nodes{kL}));
  EXPECT_EQ(Consistency(6), (Nodes{kI, kJ, kK}));
  EXPECT_EQ(Node(kG, kC), kHash0);
  EXPECT_EQ(Node(kK, kI), kHash2);
}

TEST_F(RfcExamples, TheConsistencyProofsOfTheTextCheck) {
  EXPECT_TRUE(GoesOn(3, kHash0, {kC, kD, kG, kL}));
  EXPECT_TRUE(GoesOn(4, kHash1, {kL}));
  EXPECT_TRUE(GoesOn(6, kHash2, {kI, kJ, kK}));
  EXPECT_FALSE(GoesOn(3, kHash0, {kD, kC, kG, kL})) << "in another order";
  EXPECT_FALSE(GoesOn(6, kHash1, {kI, kJ, kK})) << "from another tree";
}

// The proofs that the shared test data have of these entries.
TEST_F(RfcExamples, TheProofsAreThoseOfTheSharedTestData) {
  const std::string right = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
  const std::string last_two = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
  EXPECT_EQ(Path(0, 1), Nodes{});
  EXPECT_EQ(Path(0, 8), (Nodes{kB, kH, right}));
  EXPECT_EQ(Path(5, 8), (Nodes{kE, last_two, kK}));
  EXPECT_EQ(Path(2, 3), (Nodes{kG}));
  EXPECT_EQ(Path(1, 5), (Nodes{kA, kH, kE}));
  EXPECT_EQ(Consistency(1, 1), Nodes{});
  EXPECT_EQ(Consistency(1, 8), (Nodes{kB, kH, right}));
  EXPECT_EQ(Consistency(6, 8), (Nodes{kI, last_two, kK}));
  EXPECT_EQ(Consistency(2, 5), (Nodes{kH, kE}));
  EXPECT_TRUE(Includes(5, kF, {kE, last_two, kK}, 8, kRootOf8));
  EXPECT_TRUE(GoesOn(6, kHash2, {kI, last_two, kK}, 8, kRootOf8));
}

// The roots are made for them: it is the number of hashes alone that says no.
TEST_F(RfcExamples, AProofOfAnotherLengthFitsNoRoot) {
  EXPECT_FALSE(Includes(0, kA, {}, 2, kA)) << "too short";
  EXPECT_FALSE(Includes(0, kA, {kB, kH}, 7, kK)) << "too short";
  EXPECT_FALSE(Includes(0, kA, {kB}, 1, Node(kB, kA))) << "too long";
  EXPECT_FALSE(Includes(6, kJ, {kI, kK, kA}, 7, Node(kA, kHash))) << "too long";
  EXPECT_FALSE(GoesOn(4, kHash1, {}, 7, kHash1)) << "too short";
  EXPECT_FALSE(GoesOn(3, kHash0, {kC, kD, kG}, 7, kK)) << "too short";
  EXPECT_FALSE(GoesOn(3, Node(kA, kHash0), {kC, kD, kG, kL, kA}, 7, Node(kA, kHash))) << "too long";
}

// Checking as RFC 6962's recursion reads backwards: from the proof's end, that is from the root.
// What is checked walks from the leaf, as RFC 9162 has it.
class FromTheRoot {
 public:
  explicit FromTheRoot(Proof proof) : rest_(std::move(proof)) {}

  static bool Includes(std::uint64_t index, std::uint64_t size, const Hash& leaf, const Hash& root,
                       const Proof& proof) {
    FromTheRoot check(proof);
    return index < size && check.Path(index, size, leaf) == root && check.IsUsedUp();
  }
  static bool GoesOn(std::uint64_t old_size, const Hash& old_root, std::uint64_t size,
                     const Hash& root, const Proof& proof) {
    FromTheRoot check(proof);
    const Roots roots = check.SubProof(old_size, size, &old_root);
    return roots.older == old_root && roots.newer == root && check.IsUsedUp();
  }

 private:
  struct Roots {
    Hash older{};
    Hash newer{};
  };

  [[nodiscard]] bool IsUsedUp() const { return enough_ && rest_.empty(); }
  Hash Take() {
    enough_ = enough_ && !rest_.empty();
    if (rest_.empty()) return {};
    const Hash last = rest_.back();
    rest_.pop_back();
    return last;
  }
  static std::uint64_t K(std::uint64_t n) {
    std::uint64_t k = 1;
    while (2 * k < n) k *= 2;
    return k;
  }
  Hash Path(std::uint64_t m, std::uint64_t n, const Hash& leaf) {
    if (n == 1) return leaf;
    const Hash sibling = Take();
    const std::uint64_t k = K(n);
    return m < k ? hasher_.Node(Path(m, k, leaf), sibling)
                 : hasher_.Node(sibling, Path(m - k, n - k, leaf));
  }
  // `known`: the old tree's root, where that subtree is all of it.
  Roots SubProof(std::uint64_t m, std::uint64_t n, const Hash* known) {
    if (m == n) {
      const Hash root = known != nullptr ? *known : Take();
      return {root, root};
    }
    const Hash sibling = Take();
    const std::uint64_t k = K(n);
    if (m <= k) {
      const Roots left = SubProof(m, k, known);
      return {left.older, hasher_.Node(left.newer, sibling)};
    }
    const Roots right = SubProof(m - k, n - k, nullptr);
    return {hasher_.Node(sibling, right.older), hasher_.Node(sibling, right.newer)};
  }

  Proof rest_;
  TreeHasher hasher_;
  bool enough_ = true;
};

// Every proof of some trees and, of each, what a stranger could make of it.
void ForEachVariant(const Proof& proof, const std::function<void(const Proof&)>& visit) {
  visit(proof);
  Proof variant = proof;
  variant.push_back(HashOf(kA));
  visit(variant);
  for (std::size_t i = 0; i < proof.size(); ++i) {
    variant = proof;
    variant[i][31] ^= 0x80U;
    visit(variant);
    variant = proof;
    variant.erase(variant.begin() + static_cast<std::ptrdiff_t>(i));
    visit(variant);
    variant = proof;
    std::swap(variant[i], variant[(i + 1) % proof.size()]);
    visit(variant);
  }
}

class TwoCheckers : public ::testing::Test {
 protected:
  TwoCheckers() {
    CompactRange tree;
    roots_.push_back(hasher_.Empty());
    for (std::uint64_t i = 0; i < kSize; ++i) {
      leaves_.push_back(hasher_.Leaf("entry " + std::to_string(i)));
      tree.Append(hasher_, leaves_.back());
      roots_.push_back(tree.Root(hasher_));
    }
  }
  Proof Build(std::optional<ProofBuilder> builder, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) builder->Add(hasher_, leaves_[i]);
    return *builder->Finish(hasher_);
  }

  static constexpr std::uint64_t kSize = 21;
  TreeHasher hasher_;
  std::vector<Hash> leaves_;
  std::vector<Hash> roots_;
};

TEST_F(TwoCheckers, OfInclusionsAgreeOnEveryProofAndForgery) {
  for (std::uint64_t size = 1; size <= kSize; ++size) {
    for (std::uint64_t index = 0; index < size; ++index) {
      const Proof proof = Build(ProofBuilder::Inclusion(index, size), size);
      ASSERT_TRUE(FromTheRoot::Includes(index, size, leaves_[index], roots_[size], proof));
      ForEachVariant(proof, [&](const Proof& variant) {
        for (const std::uint64_t claimed : {index, index + 1, index / 2}) {
          const bool holds =
              FromTheRoot::Includes(claimed, size, leaves_[index], roots_[size], variant);
          EXPECT_EQ(
              RootByInclusion(hasher_, claimed, size, leaves_[index], variant) == roots_[size],
              holds)
              << claimed << " of " << size;
        }
      });
    }
  }
}

TEST_F(TwoCheckers, OfConsistencyAgreeOnEveryProofAndForgery) {
  for (std::uint64_t size = 2; size <= kSize; ++size) {
    for (std::uint64_t old_size = 1; old_size < size; ++old_size) {
      const Proof proof = Build(ProofBuilder::Consistency(old_size, size), size);
      ASSERT_TRUE(FromTheRoot::GoesOn(old_size, roots_[old_size], size, roots_[size], proof));
      ForEachVariant(proof, [&](const Proof& variant) {
        for (const Hash& old_root : {roots_[old_size], roots_[old_size - 1]}) {
          const bool holds = FromTheRoot::GoesOn(old_size, old_root, size, roots_[size], variant);
          EXPECT_EQ(IsConsistent(hasher_, old_size, old_root, size, roots_[size], variant), holds)
              << old_size << " to " << size;
        }
      });
    }
  }
}

}  // namespace
}  // namespace tidewaiter::audit
