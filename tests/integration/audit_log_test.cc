// The log of a real broker, read and verified as an auditor does.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "audit/inclusion_proof.h"
#include "audit/segment_name.h"
#include "audit/verifier.h"
#include "base/unique_fd.h"
#include "tests/support/broker_process.h"
#include "tests/support/eventually.h"
#include "tests/support/gate_client.h"
#include "tests/support/program.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AuditLog : public ::testing::Test {
 protected:
  [[nodiscard]] audit::VerifierKey Key() const {
    std::ifstream file(broker_.audit_dir() + "/" + audit::kPublicKeyName);
    std::string text;
    std::getline(file, text);
    auto key = audit::VerifierKey::Parse(text);
    if (!key) ADD_FAILURE() << key.error().message;
    return *std::move(key);
  }
  [[nodiscard]] audit::Verdict Verify() const { return Verify(Key()); }
  [[nodiscard]] audit::Verdict Verify(const audit::VerifierKey& key) const {
    auto verdict = audit::VerifyLog(
        UniqueFd(::open(broker_.audit_dir().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        {.key = key});
    if (!verdict) ADD_FAILURE() << verdict.error().message;
    return verdict ? *verdict : audit::Verdict{};
  }
  void Deny(int times) {
    v1::RunSpec spec;
    spec.set_image("evil.example/x");
    for (int i = 0; i < times; ++i) static_cast<void>(client_->Run(spec));
  }

  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{
      {.docker_socket = folder_ / "engine.sock", .policy = BrokerProcess::StandInPolicy()}};
  std::unique_ptr<GateClient> client_ = std::make_unique<GateClient>(broker_.socket_path());
};

TEST_F(AuditLog, OfABrokerThatWasStoppedIsCoveredToItsLastRecord) {
  Deny(3);
  ASSERT_EQ(broker_.Stop(), 0);
  const audit::Verdict verdict = Verify();
  EXPECT_THAT(verdict.faults, IsEmpty());
  EXPECT_EQ(verdict.signed_records, verdict.next_record);
  EXPECT_GE(verdict.next_record, 6U);
}

TEST_F(AuditLog, OfABrokerThatWasKilledVerifiesAndIsGoneOnFrom) {
  for (int i = 0; i < 3; ++i) {
    Deny(3);
    broker_.Kill();
    EXPECT_THAT(Verify().faults, IsEmpty());
    broker_.Restart();
    client_ = std::make_unique<GateClient>(broker_.socket_path());
  }
  ASSERT_EQ(broker_.Stop(), 0);
  const audit::Verdict verdict = Verify();
  EXPECT_THAT(verdict.faults, IsEmpty());
  EXPECT_EQ(verdict.signed_records, verdict.next_record);
}

TEST_F(AuditLog, EveryRecordThatIsAskedForComesWithAProof) {
  Deny(3);
  const audit::VerifierKey key = Key();
  grpc::ClientContext context;
  v1::QueryRequest request;
  request.set_with_proofs(true);
  const auto reader = client_->audit().Query(&context, request);
  v1::AuditRecord record;
  std::uint64_t index = 0;
  while (reader->Read(&record)) {
    const auto proof = audit::InclusionProof::Parse(record.tlog_proof());
    ASSERT_TRUE(proof.has_value()) << proof.error().message;
    EXPECT_EQ(proof->index, index++);
    const auto covering = proof->Check(record.json(), key);
    EXPECT_TRUE(covering.has_value()) << covering.error().message;
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_GE(index, 5U);
}

TEST_F(AuditLog, RecordsThatAreFollowedComeWithTheirProofs) {
  grpc::ClientContext context;
  v1::TailRequest request;
  request.set_with_proofs(true);
  request.mutable_filter()->set_type("run.denied");
  request.set_from_start(true);
  const auto reader = client_->audit().Tail(&context, request);
  Deny(1);
  v1::AuditRecord record;
  ASSERT_TRUE(reader->Read(&record));
  const auto proof = audit::InclusionProof::Parse(record.tlog_proof());
  ASSERT_TRUE(proof.has_value());
  EXPECT_TRUE(proof->Check(record.json(), Key()).has_value());
  context.TryCancel();
}

TEST_F(AuditLog, WithoutBeingAskedNothingIsProven) {
  grpc::ClientContext context;
  const auto reader = client_->audit().Query(&context, {});
  v1::AuditRecord record;
  ASSERT_TRUE(reader->Read(&record));
  EXPECT_EQ(record.tlog_proof(), "");
}

TEST_F(AuditLog, ItsKeyIsChangedWhileTheBrokerServes) {
  const audit::VerifierKey former = Key();
  Deny(2);
  grpc::ClientContext context;
  v1::RotateAuditKeyResponse changed;
  const grpc::Status status = client_->broker().RotateAuditKey(&context, {}, &changed);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(changed.former_key(), former.ToString());
  EXPECT_EQ(changed.key(), Key().ToString());
  EXPECT_NE(changed.key(), changed.former_key());
  Deny(2);
  broker_.Kill();
  broker_.Restart();
  ASSERT_EQ(broker_.Stop(), 0);
  for (const audit::VerifierKey& key : {former, Key()}) {
    const audit::Verdict verdict = Verify(key);
    EXPECT_THAT(verdict.faults, IsEmpty());
    EXPECT_EQ(verdict.signed_records, verdict.next_record);
  }
}

TEST_F(AuditLog, ABrokerDoesNotStartOnALogThatWasChanged) {
  Deny(3);
  ASSERT_EQ(broker_.Stop(), 0);
  std::fstream log(broker_.audit_file(), std::ios::in | std::ios::out | std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(log)), {});
  log.clear();
  log.seekp(static_cast<std::streamoff>(text.find("evil.example")));
  log << "good";
  log.close();
  EXPECT_EQ(broker_.RestartRefused(), 1);
  EXPECT_THAT(broker_.Log(), HasSubstr("have been changed"));
}

TEST_F(AuditLog, IsAskedOverTheSocketByWhatItsRecordsHave) {
  Deny(3);
  const auto ask = [this](std::vector<std::string> words) {
    words.insert(words.begin(), {"audit"});
    words.push_back("--socket=" + broker_.socket_path());
    const auto ended = Program("tidewaiter", std::move(words)).Wait();
    EXPECT_EQ(ended.status, 0) << ended.err;
    return ended.out;
  };
  const std::string denials = ask({"query", "--rule", "image.repository-not-allowed"});
  EXPECT_EQ(std::count(denials.begin(), denials.end(), '\n'), 3);
  EXPECT_EQ(ask({"query", "--image", "evil.example"}), denials);
  EXPECT_THAT(ask({"query", "--rule", "image.tag"}), IsEmpty());
  EXPECT_THAT(ask({"query", "--shadow-rule", "image.repository-not-allowed"}), IsEmpty());
  EXPECT_THAT(ask({"query", "--tenant", "42"}), IsEmpty());
  EXPECT_THAT(ask({"query", "--outcome", "unsuccessful"}), IsEmpty());
}

TEST_F(AuditLog, ItsLastRecordsAreGivenAndThenFollowed) {
  Deny(3);
  const std::string socket = "--socket=" + broker_.socket_path();
  const auto all = Program("tidewaiter", {"audit", "query", socket}).Wait().out;
  const auto last = Program("tidewaiter", {"audit", "tail", "-n", "2", socket}).Wait().out;
  EXPECT_EQ(std::count(last.begin(), last.end(), '\n'), 2);
  EXPECT_TRUE(all.ends_with("\n" + last)) << last;
  EXPECT_THAT(Program("tidewaiter", {"audit", "tail", "-n", "0", socket}).Wait().out, IsEmpty());

  Program tail("tidewaiter", {"audit", "tail", "-f", "-n", "1", socket});
  const std::string newest = last.substr(last.find('\n') + 1);
  ASSERT_TRUE(tail.Prints(newest));
  Deny(1);
  ASSERT_TRUE(tail.Prints("\"index\":" + std::to_string(Verify().next_record - 1)));
  tail.Signal(SIGKILL);
  EXPECT_TRUE(tail.Wait().out.starts_with(newest));
}

}  // namespace
}  // namespace tidewaiter::testing
