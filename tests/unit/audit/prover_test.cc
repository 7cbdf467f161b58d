#include "audit/prover.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "audit/log_store.h"
#include "audit/segment_name.h"
#include "audit/signed_checkpoint.h"
#include "tests/support/audit_store.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using ::testing::HasSubstr;

std::string Line(std::uint64_t index) {
  return R"({"index":)" + std::to_string(index) + R"(,"time":"t","type":"run.denied"})";
}

class ProverTest : public ::testing::Test {
 protected:
  // Of 13 records in segments of five; checkpoints_[n] covers n.
  void SetUp() override {
    StoreSettings settings = testing::AuditStore();
    settings.segment_bytes = 5 * Line(0).size();
    auto store = LogStore::Open(directory_.get(), settings, FileOperations::System());
    ASSERT_TRUE(store.has_value());
    for (std::uint64_t i = 0; i < 13; ++i) {
      ASSERT_TRUE(store->Sign().has_value());
      checkpoints_.push_back(store->checkpoint());
      ASSERT_TRUE(store->Append(Line(i) + "\n").has_value());
      ASSERT_TRUE(store->RotateIfDue().has_value());
    }
    ASSERT_TRUE(store->Sign().has_value());
    checkpoints_.push_back(store->checkpoint());
  }

  [[nodiscard]] UniqueFd Directory() const {
    return UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0));
  }
  Result<InclusionProof> Prove(std::uint64_t index, std::size_t size) const {
    return ProveInclusion(Directory(), index, checkpoints_[size], key_);
  }
  [[nodiscard]] Checkpoint Read(std::size_t size) const {
    return *ReadSignedCheckpoint(checkpoints_[size], key_);
  }
  void Remove(std::uint64_t first) const {
    for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
      std::filesystem::remove(folder_.File(SegmentFileName(first, suffix)));
    }
  }

  ScratchFolder folder_;
  const UniqueFd directory_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const VerifierKey key_ = testing::AuditKey()->verifier();
  std::vector<std::string> checkpoints_;
};

TEST_F(ProverTest, EveryRecordIsProvenAgainstEveryCheckpointThatCoversIt) {
  for (std::size_t size = 1; size <= 13; ++size) {
    for (std::uint64_t index = 0; index < size; ++index) {
      const auto proof = Prove(index, size);
      ASSERT_TRUE(proof.has_value()) << proof.error().message;
      EXPECT_EQ(proof->line, Line(index));
      EXPECT_TRUE(proof->Check(Line(index), key_).has_value());
    }
  }
}

TEST_F(ProverTest, NoOtherRecordIsProvenByIt) {
  const auto proof = Prove(7, 13);
  ASSERT_TRUE(proof.has_value());
  for (std::uint64_t index = 0; index < 13; ++index) {
    EXPECT_EQ(proof->Check(Line(index), key_).has_value(), index == 7);
  }
  auto moved = *proof;
  moved.index = 6;
  EXPECT_FALSE(moved.Check(Line(7), key_).has_value());
}

TEST_F(ProverTest, AProofSurvivesItsText) {
  const auto proof = Prove(7, 13);
  const auto read = InclusionProof::Parse(proof->ToString());
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->ToString(), proof->ToString());
  EXPECT_TRUE(read->Check(read->line, key_).has_value());
}

TEST_F(ProverTest, AProofByAnotherKeyIsNone) {
  const auto other = SigningKey::Generate(key_.name());
  EXPECT_THAT(Prove(7, 13)->Check(Line(7), other->verifier()).error().message,
              HasSubstr("not signed by the key"));
}

TEST_F(ProverTest, WhatTheCheckpointDoesNotCoverIsNotProven) {
  EXPECT_THAT(Prove(7, 7).error().message, HasSubstr("covers 7 records"));
}

TEST_F(ProverTest, RecordsAreProvenWithoutTheSegmentsBeforeThem) {
  Remove(0);
  EXPECT_TRUE(Prove(7, 13).has_value());
  EXPECT_EQ(Prove(3, 13).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(ProveConsistency(Directory(), Read(8), Read(13)).has_value());
}

TEST_F(ProverTest, WhatIsLeftGoesOnFromItsOwnCheckpointAlone) {
  Remove(0);
  std::filesystem::copy_file(folder_.File(SegmentFileName(10, kCheckpointsSuffix)),
                             folder_.File(SegmentFileName(5, kCheckpointsSuffix)),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(Prove(7, 13).error().message, HasSubstr("of another segment"));
}

TEST_F(ProverTest, AChangedLogProvesNothing) {
  const std::string path = folder_.File(SegmentFileName(5, kLinesSuffix));
  std::string lines = ReadText(path);
  lines[lines.find("denied")] = 'D';
  std::ofstream(path, std::ios::binary | std::ios::trunc) << lines;
  EXPECT_THAT(Prove(7, 13).error().message, HasSubstr("not the 13 that were signed"));
  EXPECT_FALSE(ProveConsistency(Directory(), Read(2), Read(13)).has_value());
}

TEST_F(ProverTest, AMissingRecordIsNamed) {
  Remove(5);
  EXPECT_THAT(Prove(2, 13).error().message, HasSubstr("record 5 is not here"));
}

TEST_F(ProverTest, EveryCheckpointGoesOnFromEveryEarlierOne) {
  for (std::size_t newer = 0; newer <= 13; ++newer) {
    for (std::size_t older = 0; older <= newer; ++older) {
      const auto proof = ProveConsistency(Directory(), Read(older), Read(newer));
      EXPECT_TRUE(proof.has_value()) << older << " to " << newer << proof.error().message;
    }
  }
  EXPECT_FALSE(ProveConsistency(Directory(), Read(13), Read(2)).has_value());
}

TEST(InclusionProof, WhatIsNoneIsRefusedWithACause) {
  const std::string hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
  const std::string head = "c2sp.org/tlog-proof@v1\n";
  const auto cause = [](const std::string& text) {
    const auto proof = InclusionProof::Parse(text);
    return proof ? "none" : proof.error().message;
  };
  EXPECT_EQ(cause(head + "index 0\n" + hash + "\nnote"), "none");
  EXPECT_THAT(cause(""), HasSubstr("first line"));
  EXPECT_THAT(cause("c2sp.org/tlog-proof@v2\nindex 0\n\nnote"), HasSubstr("first line"));
  EXPECT_THAT(cause(head + "index 01\n\nnote"), HasSubstr("no number"));
  EXPECT_THAT(cause(head + "index -1\n\nnote"), HasSubstr("no number"));
  EXPECT_THAT(cause(head + "extra !\nindex 0\n\nnote"), HasSubstr("not base64"));
  EXPECT_THAT(cause(head + hash + "\nnote"), HasSubstr("no index"));
  EXPECT_THAT(cause(head + "index 0\nAAAA\n\nnote"), HasSubstr("32 bytes"));
  EXPECT_THAT(cause(head + "index 0\n" + hash), HasSubstr("no checkpoint"));
  std::string many = head + "index 0\n";
  for (int i = 0; i < 65; ++i) many += hash;
  EXPECT_THAT(cause(many + "\nnote"), HasSubstr("too many hashes"));
  EXPECT_THAT(cause(head + std::string(kMaxProofBytes, 'x')), HasSubstr("too long"));
}

}  // namespace
}  // namespace tidewaiter::audit
