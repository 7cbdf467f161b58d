// What is read out of the stored hashes is what RFC 6962's definitions make of the lines.
#include "audit/stored_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "audit/log_store.h"
#include "audit/segment_name.h"
#include "audit/signed_checkpoint.h"
#include "tests/support/audit_store.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

constexpr std::uint64_t kRecords = 37;

std::string Line(std::uint64_t index) {
  return R"({"index":)" + std::to_string(index) + R"(,"time":"t","type":"run.denied"})";
}

class StoredTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    StoreSettings settings = testing::AuditStore();
    settings.segment_bytes = 6 * Line(10).size();
    auto store = LogStore::Open(directory_.get(), settings, FileOperations::System());
    ASSERT_TRUE(store.has_value());
    for (std::uint64_t i = 0; i < kRecords; ++i) {
      ASSERT_TRUE(store->Append(Line(i) + "\n").has_value());
      ASSERT_TRUE(store->RotateIfDue().has_value());
    }
    // MTH of each size, by the definition.
    for (std::uint64_t i = 0; i < kRecords; ++i) {
      tree_.Append(hasher_, hasher_.Leaf(Line(i)));
      roots_.push_back(tree_.Root(hasher_));
    }
  }
  [[nodiscard]] bool Proves(StoredTree& tree, std::uint64_t index, std::uint64_t size) {
    const auto proof = tree.Prove(*ProofBuilder::Inclusion(index, size));
    return proof && RootByInclusion(hasher_, index, size, hasher_.Leaf(Line(index)), *proof) ==
                        roots_[size - 1];
  }
  [[nodiscard]] StoredTree Open() const {
    return StoredTree(UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)));
  }

  // The oldest ones. What is left begins with the index that comes back.
  std::uint64_t RemoveSegments(std::size_t count) const {
    const auto segments = ListSegments(directory_.get());
    for (std::size_t i = 0; i < count; ++i) {
      for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
        std::filesystem::remove(folder_.File(SegmentFileName((*segments)[i].first, suffix)));
      }
    }
    return (*segments)[count].first;
  }

  ScratchFolder folder_;
  const UniqueFd directory_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  TreeHasher hasher_;
  CompactRange tree_;
  std::vector<Hash> roots_;
};

TEST_F(StoredTreeTest, ProvesEveryRecordInEveryTree) {
  StoredTree tree = Open();
  for (std::uint64_t size = 1; size <= kRecords; ++size) {
    for (std::uint64_t index = 0; index < size; ++index) {
      ASSERT_TRUE(Proves(tree, index, size)) << index << " of " << size;
    }
  }
}

TEST_F(StoredTreeTest, ProvesThatEachTreeGoesOnFromEachEarlierOne) {
  StoredTree tree = Open();
  for (std::uint64_t newer = 1; newer <= kRecords; ++newer) {
    for (std::uint64_t older = 1; older <= newer; ++older) {
      const auto proof = tree.Prove(*ProofBuilder::Consistency(older, newer));
      ASSERT_TRUE(proof.has_value());
      ASSERT_TRUE(IsConsistent(hasher_, older, roots_[older - 1], newer, roots_[newer - 1], *proof))
          << older << " to " << newer;
    }
  }
}

TEST_F(StoredTreeTest, ProvesWhatIsLeftWhereSegmentsHaveBeenRemoved) {
  const std::uint64_t removed = RemoveSegments(2);
  StoredTree tree = Open();
  for (std::uint64_t index = removed; index < kRecords; ++index) {
    ASSERT_TRUE(Proves(tree, index, kRecords)) << index;
  }
  EXPECT_EQ(tree.Prove(*ProofBuilder::Inclusion(0, kRecords)).error().code, ErrorCode::kNotFound);
}

TEST_F(StoredTreeTest, ProvesWhatIsLeftWhereMoreIsRemovedMeanwhile) {
  StoredTree tree = Open();
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t removed = RemoveSegments(1);
    for (std::uint64_t index = removed; index < kRecords; ++index) {
      ASSERT_TRUE(Proves(tree, index, kRecords)) << index << " from " << removed;
    }
  }
}

// What is missing must not be read as some other hash.
TEST_F(StoredTreeTest, HashesThatAreNotThereProveNothing) {
  const auto segments = ListSegments(directory_.get());
  const std::string path = folder_.File(SegmentFileName((*segments)[1].first, kHashesSuffix));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  StoredTree tree = Open();
  std::size_t missing = 0;
  for (std::uint64_t index = 0; index < kRecords; ++index) {
    const auto proof = tree.Prove(*ProofBuilder::Inclusion(index, kRecords));
    if (proof) {
      EXPECT_TRUE(Proves(tree, index, kRecords)) << index;
    } else {
      EXPECT_EQ(proof.error().code, ErrorCode::kNotFound) << index;
      ++missing;
    }
  }
  EXPECT_GT(missing, 0U);
}

}  // namespace
}  // namespace tidewaiter::audit
