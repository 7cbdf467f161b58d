// What a run brings along and leaves behind: inputs before the engine hears of it, outputs before
// its result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <utility>

#include "base/guarded.h"
#include "tests/support/core_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = run::Outcome::Kind;
using Type = run::AuditEvent::Type;

// A client that has sent these pieces and then says nothing more, or that it is done.
class Uploads final : public run::UploadSource {
 public:
  enum class Then { kSilence, kEnd };
  explicit Uploads(std::deque<run::UploadPiece> pieces, Then then = Then::kSilence)
      : then_(then), pieces_(std::move(pieces)) {}

  Result<run::UploadPiece> Next(const run::Patience& patience) override {
    auto pieces = pieces_.Lock();
    if (!pieces->empty()) {
      run::UploadPiece piece = std::move(pieces->front());
      pieces->pop_front();
      return piece;
    }
    if (then_ == Then::kEnd) {
      return Fail(ErrorCode::kFailedPrecondition, "take an input: closed", "INPUT_MISSING");
    }
    pieces.Wait(never_, patience.stop, patience.deadline, [] { return false; });
    return patience.stop.stop_requested() ? Fail(ErrorCode::kCancelled, "take an input: stopped")
                                          : Fail(ErrorCode::kDeadlineExceeded, "take: silence");
  }

 private:
  const Then then_;
  Guarded<std::deque<run::UploadPiece>> pieces_;
  std::condition_variable_any never_;
};

class RunFilesTest : public ::testing::Test, public CoreWorld {
 protected:
  static policy::RunSpec With(std::vector<std::string> inputs, std::vector<std::string> outputs) {
    policy::RunSpec spec = Spec();
    for (const std::string& name : inputs) {
      spec.mounts.push_back(
          {.target = "/in/" + name, .read_only = true, .source = policy::InputMount{name}});
    }
    for (const std::string& name : outputs) {
      spec.mounts.push_back(
          {.target = "/out/" + name, .read_only = false, .source = policy::OutputMount{name}});
    }
    return spec;
  }
  static std::shared_ptr<Uploads> Send(std::deque<run::UploadPiece> pieces,
                                       Uploads::Then then = Uploads::Then::kSilence) {
    return std::make_shared<Uploads>(std::move(pieces), then);
  }
  run::Outcome OutcomeOf(const Client& client) {
    EXPECT_TRUE(client->WaitDone());
    return client->outcome().value_or(run::Outcome());
  }
};

TEST_F(RunFilesTest, InputsAreThereAndOnRecordBeforeTheEngineHearsOfTheRun) {
  Client client = Launch(With({"code", "data"}, {}), Alice(),
                         Send({{"data", SharedBytes("D1"), false},
                               {"data", SharedBytes("D2"), true},
                               {"code", SharedBytes("C"), true}}));
  engine.WaitContainer()->Exit(0);
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kExited);
  EXPECT_EQ(files.Input("data"), "D1D2");
  EXPECT_EQ(files.Input("code"), "C");
  EXPECT_LT(trace.Index("audit:admitted"), trace.Index("files:receive"));
  EXPECT_EQ(trace.Count("audit:input"), 2U);
  EXPECT_LT(trace.Index("files:receive code"), trace.Index("engine:resolve"));
  const auto recorded = audit.Of(Type::kRunInput);
  EXPECT_EQ(recorded[0].archive->name, "data");
  EXPECT_EQ(recorded[0].archive->archive.sha256, "sha256:of D1D2");
  EXPECT_EQ(recorded[0].archive->archive.entries, 1U);
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, ARefusedInputEndsTheRunBeforeTheEngineHearsOfIt) {
  files.RefuseInputs();
  Client client =
      Launch(With({"code"}, {"results"}), Alice(), Send({{"code", SharedBytes("bad"), true}}));
  const run::Outcome outcome = OutcomeOf(client);
  EXPECT_EQ(outcome.kind, Kind::kFailed);
  EXPECT_EQ(outcome.reason, "INPUT_REFUSED");
  EXPECT_THAT(outcome.message, HasSubstr("dot-dot"));
  EXPECT_THAT(trace.Of("engine:"), IsEmpty());
  // Names of entries are in no record.
  EXPECT_EQ(audit.Of(Type::kRunInput).at(0).archive->error, "INPUT_REFUSED: dot-dot");
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, AClientThatSendsNothingOfAnInputIsNotWaitedForLong) {
  environment.settings.input_stall = std::chrono::milliseconds(20);
  Client client = Launch(With({"code"}, {}), Alice(), Send({{"code", SharedBytes("half"), false}}));
  EXPECT_EQ(OutcomeOf(client).reason, "INPUT_STALLED");
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, AllInputsTogetherHaveATimeOfTheirOwn) {
  environment.settings.input_timeout = std::chrono::milliseconds(20);
  Client client = Launch(With({"code"}, {}), Alice(), Send({}));
  const run::Outcome outcome = OutcomeOf(client);
  EXPECT_EQ(outcome.reason, "INPUT_STALLED");
  EXPECT_THAT(outcome.message, HasSubstr("whole within"));
}

TEST_F(RunFilesTest, AnInputThatNobodySendsIsMissing) {
  Client none = Launch(With({"code"}, {}));
  EXPECT_EQ(OutcomeOf(none).reason, "INPUT_MISSING");
  Client ended = Launch(With({"code"}, {}), Alice(), Send({}, Uploads::Then::kEnd));
  EXPECT_EQ(OutcomeOf(ended).reason, "INPUT_MISSING");
}

TEST_F(RunFilesTest, APieceOfAnotherInputAmidOneEndsTheRun) {
  Client client = Launch(With({"a", "b"}, {}), Alice(),
                         Send({{"a", SharedBytes("1"), false}, {"b", SharedBytes("2"), true}}));
  EXPECT_EQ(OutcomeOf(client).reason, "PROTOCOL_VIOLATION");
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, LaterInputsGetWhatTheEarlierOnesHaveLeft) {
  policy::RunSpec spec = With({"a", "b"}, {});
  spec.limits.input_bytes = 10;
  Client client = Launch(spec, Alice(),
                         Send({{"a", SharedBytes("1234567"), true}, {"b", SharedBytes(), true}}));
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(files.max_bytes("a"), 10U);
  EXPECT_EQ(files.max_bytes("b"), 3U);
}

TEST_F(RunFilesTest, AClientThatVanishesAmidAnUploadLeavesNothing) {
  Client client = Launch(With({"code"}, {}), Alice(), Send({{"code", SharedBytes("half"), false}}));
  ASSERT_TRUE(trace.WaitFor("files:receive"));
  client.Vanish();
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kClientGone);
  EXPECT_THAT(trace.Of("engine:"), IsEmpty());
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, ABackendThatCarriesFilesGetsTheInputsAndGivesTheOutputs) {
  engine.CarryFiles(1 << 20);
  engine.LeaveOutput("first", "F", {.listed = {{"link", "symbolic-link"}}, .count = 1});
  engine.LeaveOutput("second", "S");
  policy::RunSpec spec = With({"code"}, {"first", "second"});
  spec.limits.output_bytes = 100;
  Client client = Launch(spec, Alice(), Send({{"code", SharedBytes("C"), true}}));
  engine.WaitContainer()->Exit(0);
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kExited);
  EXPECT_EQ(engine.Carried("code"), "C");
  EXPECT_EQ(client->piece("first"), "F");
  EXPECT_EQ(client->piece("second"), "S");
  // What the carrier left out is told as what the packer here leaves out.
  EXPECT_EQ(audit.Of(Type::kRunOutput)[0].archive->omitted, 1U);
  EXPECT_THAT(trace.Of("engine:fetch"),
              ElementsAre("engine:fetch first of 100", HasSubstr(", the last")));
  EXPECT_LT(trace.Index("files:receive output first"), trace.Index("engine:fetch first"));
  EXPECT_LT(trace.Index("engine:fetch second"), trace.Index("files:send second"));
  // Nobody mounts them.
  EXPECT_THAT(trace.Of("files:prepare"), IsEmpty());
  EXPECT_THAT(trace.Of("files:receive code"), ElementsAre(HasSubstr("for us")));
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, InputsAreNoMoreThanTheBackendCarries) {
  engine.CarryFiles(5);
  policy::RunSpec spec = With({"code"}, {});
  spec.limits.input_bytes = 10;
  Client client = Launch(spec, Alice(), Send({{"code", SharedBytes("12"), true}}));
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(files.max_bytes("code"), 5U);
}

TEST_F(RunFilesTest, AnOutputThatCannotBeFetchedIsTheEndOfThatOneAlone) {
  engine.CarryFiles(1 << 20);
  engine.LeaveOutput("second", "S");
  engine.FailNext(FakeBackend::Step::kFetch, 1);
  Client client = Launch(With({}, {"first", "second"}));
  engine.WaitContainer()->Exit(3);
  EXPECT_EQ(OutcomeOf(client).exit_code, 3);
  EXPECT_EQ(client->piece("first"), "");
  EXPECT_EQ(client->piece("second"), "S");
  const auto recorded = audit.Of(Type::kRunOutput);
  ASSERT_EQ(recorded.size(), 2U);
  EXPECT_EQ(recorded[0].archive->error, "ENGINE_UNAVAILABLE");
  EXPECT_EQ(recorded[1].archive->error, "");
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, AnOutputThatIsCutOffOnItsWayIsFetchedAgain) {
  engine.CarryFiles(1 << 20);
  engine.LeaveOutput("first", "whole");
  engine.CutOutputs(2);
  Client client = Launch(With({}, {"first"}));
  engine.WaitContainer()->Exit(0);
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kExited);
  EXPECT_EQ(client->piece("first"), "whole");
  EXPECT_EQ(trace.Count("files:receive output first"), 3U);
  ASSERT_EQ(audit.Of(Type::kRunOutput).size(), 1U);
  EXPECT_EQ(audit.Of(Type::kRunOutput)[0].archive->error, "");
}

TEST_F(RunFilesTest, AnOutputThatIsCutOffAgainAndAgainIsGivenUp) {
  engine.CarryFiles(1 << 20);
  engine.LeaveOutput("first", "whole");
  engine.CutOutputs(100);
  Client client = Launch(With({}, {"first"}));
  engine.WaitContainer()->Exit(0);
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kExited);
  EXPECT_EQ(client->piece("first"), "");
  EXPECT_EQ(trace.Count("engine:fetch first"), 3U);
  ASSERT_EQ(audit.Of(Type::kRunOutput).size(), 1U);
  EXPECT_EQ(audit.Of(Type::kRunOutput)[0].archive->error, "OUTPUT_FAILED");
}

TEST_F(RunFilesTest, OutputsComeInTheOrderOfTheMountsBeforeTheResult) {
  files.Leave("first", "F",
              {.archive = {}, .omissions = {.listed = {{"link", "symbolic-link"}}, .count = 1}});
  files.Leave("second", std::string(300'000, 's'));
  Client client = Launch(With({}, {"first", "second"}));
  engine.WaitContainer()->Exit(3);
  EXPECT_EQ(OutcomeOf(client).exit_code, 3);
  EXPECT_EQ(client->piece("first"), "F");
  EXPECT_EQ(client->piece("second").size(), 300'000U);
  EXPECT_THAT(client->told().All(),
              ElementsAre("admitted", "progress", "attached", "started", "closing", "piece first",
                          "end first 1", "piece second", "piece second", "end second 0",
                          "outcome EXITED", "receipt", "done"));
  EXPECT_LT(trace.Index("files:prepare second"), trace.Index("engine:create"));
  const auto recorded = audit.Of(Type::kRunOutput);
  ASSERT_EQ(recorded.size(), 2U);
  EXPECT_EQ(recorded[0].archive->omitted, 1U);
  EXPECT_LT(trace.Index("audit:output"), trace.Index("audit:finished"));
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, ATimedOutRunReturnsWhatItHasLeft) {
  policy::RunSpec spec = With({}, {"results"});
  spec.limits.timeout_millis = 1000;
  files.Leave("results", "partial");
  Client client = Launch(spec);
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kTimedOut);
  EXPECT_EQ(client->piece("results"), "partial");
}

TEST_F(RunFilesTest, ACancelledRunReturnsNothing) {
  Client client = Launch(With({}, {"results"}));
  engine.WaitContainer();
  ASSERT_TRUE(client->told().WaitFor("started"));
  client.Cancel();
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kCancelled);
  EXPECT_THAT(trace.Of("files:send"), IsEmpty());
}

TEST_F(RunFilesTest, AContainerThatMayStillWriteIsNotRead) {
  policy::RunSpec spec = With({}, {"results"});
  spec.limits.timeout_millis = 1000;
  environment.settings.stop_grace = std::chrono::milliseconds(5);
  engine.IgnoreSignal(15);
  engine.IgnoreSignal(9);
  Client client = Launch(spec);
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kTimedOut);
  EXPECT_THAT(trace.Of("files:send"), IsEmpty());
}

TEST_F(RunFilesTest, ARunThatCouldFillTheDiskIsStoppedBeforeItIsFull) {
  Client client = Launch(With({}, {"results"}));
  engine.WaitContainer();
  ASSERT_TRUE(client->told().WaitFor("started"));
  files.FillDisk();
  const run::Outcome outcome = OutcomeOf(client);
  EXPECT_EQ(outcome.kind, Kind::kFailed);
  EXPECT_EQ(outcome.reason, "DISK_LOW");
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, ARunThatFillsTheDiskIsNotAskedToEnd) {
  engine.IgnoreSignal(15);
  environment.settings.stop_grace = std::chrono::hours(1);
  Client client = Launch(With({}, {"results"}));
  engine.WaitContainer();
  ASSERT_TRUE(client->told().WaitFor("started"));
  files.FillDisk();
  EXPECT_EQ(OutcomeOf(client).reason, "DISK_LOW");
  ExpectNothingLeft();
}

// By its own choice: a caller may cancel it, and the job ignore that.
TEST_F(RunFilesTest, ARunThatFillsTheDiskInItsGraceIsNotWaitedFor) {
  engine.IgnoreSignal(15);
  environment.settings.stop_grace = std::chrono::hours(1);
  Client client = Launch(With({}, {"results"}));
  engine.WaitContainer();
  ASSERT_TRUE(client->told().WaitFor("started"));
  client.Cancel();
  ASSERT_TRUE(trace.WaitFor("engine:signal 15"));
  files.FillDisk();
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kCancelled);
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, ARunThatWritesNoOutputGoesOnWhenTheDiskIsFull) {
  files.FillDisk();
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kExited);
}

TEST_F(RunFilesTest, AnOutputThatCannotBeReadIsSaidAndTheResultStays) {
  files.FailOutputs();
  Client client = Launch(With({}, {"results"}));
  engine.WaitContainer()->Exit(0);
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kExited);
  EXPECT_EQ(client->told().Count("end results 0return output: broken"), 1U);
  EXPECT_EQ(audit.Of(Type::kRunOutput).at(0).archive->error, "OUTPUT_FAILED");
}

TEST_F(RunFilesTest, AClientThatTakesNothingOfAnOutputDoesNotHoldUpTheEnd) {
  environment.settings.output_stall = std::chrono::milliseconds(20);
  files.Leave("results", std::string(600'000, 'x'));
  Client client = Launch(With({}, {"results"}));
  const auto container = engine.WaitContainer();
  client->StopReading();
  container->Exit(0);
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kExited);
  EXPECT_EQ(client->told().Count("end results 0return an output: the client takes nothing"), 1U);
  ExpectNothingLeft();
}

TEST_F(RunFilesTest, ASlowClientGetsAllOfAnOutput) {
  files.Leave("results", std::string(600'000, 'x'));
  Client client = Launch(With({}, {"results"}));
  const auto container = engine.WaitContainer();
  client->StopReading();
  container->Exit(0);
  ASSERT_TRUE(client->told().WaitFor("piece results"));
  client->MakeRoom();
  EXPECT_EQ(OutcomeOf(client).kind, Kind::kExited);
  EXPECT_EQ(client->piece("results").size(), 600'000U);
}

}  // namespace
}  // namespace tidewaiter::testing
