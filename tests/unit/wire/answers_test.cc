#include "wire/answers.h"

#include <gtest/gtest.h>

#include "tests/support/admitted_run.h"
#include "tests/support/fake_backend.h"

namespace tidewaiter::wire {
namespace {

TEST(Answers, EveryOutcomeHasItsWireNameAndSaysTheSame) {
  using Kind = run::Outcome::Kind;
  for (const Kind kind : {Kind::kExited, Kind::kTimedOut, Kind::kCancelled, Kind::kCommandFailed,
                          Kind::kFailed, Kind::kShutdown, Kind::kClientGone, Kind::kLost}) {
    run::Outcome outcome;
    outcome.kind = kind;
    EXPECT_EQ(v1::RunResult::Outcome_Name(ToProto(outcome).outcome()), run::ToString(kind));
  }
}

TEST(Answers, DurationIsAbsentWhereTheRunNeverStarted) {
  run::Outcome outcome;
  EXPECT_FALSE(ToProto(outcome).has_duration());
  outcome.duration = std::chrono::milliseconds(1500);
  EXPECT_EQ(ToProto(outcome).duration().seconds(), 1);
  EXPECT_EQ(ToProto(outcome).duration().nanos(), 500'000'000);
}

TEST(Answers, ReceiptIsCompleteOnlyWhereEveryRemovalIsConfirmed) {
  run::Receipt receipt;
  receipt.removals = {{"container", "a", true, ""}, {"network", "b", false, "busy"}};
  EXPECT_FALSE(ToProto(receipt).complete());
  receipt.removals[1].confirmed_absent = true;
  EXPECT_TRUE(ToProto(receipt).complete());
}

TEST(Answers, TextThatIsNotUtf8IsMadePrintable) {
  run::Outcome outcome;
  outcome.message = "engine said \xff";
  EXPECT_EQ(ToProto(outcome).message(), "engine said \\xff");
}

TEST(Answers, AnAdmittedRunIsToldWithItsBackendsNotes) {
  testing::FakeTrace trace;
  testing::FakeBackend backend(trace);
  backend.Note({.field = "limits.pids", .by = "the node", .value = "7", .message = "why"});
  run::Verdict verdict;
  verdict.backend = &backend;
  EXPECT_EQ(ToExplainResponse(verdict).enforcement_size(), 0) << "not admitted";

  policy::RunSpec spec;
  spec.image = "ghcr.io/team/job:1.2.3";
  verdict.admitted = testing::Admit(testing::PermissivePolicy("ghcr.io/team/*"), spec);
  const v1::ExplainResponse answer = ToExplainResponse(verdict);
  ASSERT_EQ(answer.enforcement_size(), 1);
  EXPECT_EQ(answer.enforcement(0).field(), "limits.pids");
  EXPECT_EQ(answer.enforcement(0).by(), "the node");
  EXPECT_EQ(answer.enforcement(0).value(), "7");
  EXPECT_EQ(answer.enforcement(0).message(), "why");
}

TEST(Answers, TimesBefore1970KeepNanosPositive) {
  const auto timestamp =
      ToTimestamp(std::chrono::system_clock::time_point(-std::chrono::milliseconds(1)));
  EXPECT_EQ(timestamp.seconds(), -1);
  EXPECT_EQ(timestamp.nanos(), 999'000'000);
}

}  // namespace
}  // namespace tidewaiter::wire
