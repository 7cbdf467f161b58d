#include "wire/answers.h"

#include <gtest/gtest.h>

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

TEST(Answers, TimesBefore1970KeepNanosPositive) {
  const auto timestamp =
      ToTimestamp(std::chrono::system_clock::time_point(-std::chrono::milliseconds(1)));
  EXPECT_EQ(timestamp.seconds(), -1);
  EXPECT_EQ(timestamp.nanos(), 999'000'000);
}

}  // namespace
}  // namespace tidewaiter::wire
