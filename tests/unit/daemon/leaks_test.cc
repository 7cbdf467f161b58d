#include "broker/daemon/leaks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidewaiter::daemon {
namespace {

using run::Resource;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Leaks : public ::testing::Test {
 protected:
  void Label(const std::string& id, const std::string& broker, const std::string& run_id) {
    Engine().push_back({.resource = {.kind = Resource::Kind::kContainer, .name = "tw", .id = id},
                        .broker_id = broker,
                        .run_id = run_id});
  }
  std::vector<run::Backend::Labelled>& Engine() { return *survey_.engines.at("docker"); }
  void Know(run::RunState state) {
    run::RunInfo info;
    info.run_id = RunId(run_id_);
    info.state = state;
    survey_.runs.push_back(info);
  }
  // The run's directory, whose entry names one container.
  void Journal(const std::string& container_id) {
    run::JournalEntry entry;
    entry.run_id = RunId(run_id_);
    entry.backend = "docker";
    entry.resources = {{.kind = Resource::Kind::kContainer, .name = "tw", .id = container_id}};
    survey_.state->runs.push_back({.name = run_id_, .entry = entry});
  }
  // The directory of a run that is kept.
  void Keep(const std::string& fault = "", const std::string& broker = "ours") {
    survey_.state->kept.push_back({.name = run_id_, .broker_id = BrokerId(broker), .fault = fault});
  }
  void KnowKept(bool expired, const std::string& failure = "") {
    survey_.kept.push_back({.run_id = RunId(run_id_), .expired = expired, .failure = failure});
  }
  // "KIND ID" of each.
  [[nodiscard]] std::vector<std::string> Found() const {
    std::vector<std::string> found;
    for (const Leak& leak : FindLeaks(survey_)) found.push_back(leak.kind + " " + leak.id);
    return found;
  }

  const std::string run_id_ = RandomId();
  LeakSurvey survey_{.broker_id = BrokerId("ours"),
                     .state_dir = "/state",
                     .engines = {{"docker", std::vector<run::Backend::Labelled>()}},
                     .state = journal::StateSurvey(),
                     .runs = {},
                     .kept = {}};
};

TEST_F(Leaks, ARunThatIsKnownOnEverySideIsNone) {
  Know(run::RunState::kRunning);
  Journal("c1");
  Label("c1", "ours", run_id_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(Leaks, WhatNoKnownRunHasIsStray) {
  Label("c1", "ours", run_id_);
  EXPECT_THAT(Found(), ElementsAre("stray c1"));
  EXPECT_EQ(FindLeaks(survey_)[0].run_id, run_id_);
  EXPECT_EQ(FindLeaks(survey_)[0].where, "docker: container tw");
}

TEST_F(Leaks, WhatNamesNoRunIsStrayAndSaysThatNobodyRemovesIt) {
  Label("c1", "ours", "../x\n");
  EXPECT_THAT(Found(), ElementsAre("stray c1"));
  EXPECT_THAT(FindLeaks(survey_)[0].cause, HasSubstr("by hand"));
  EXPECT_EQ(FindLeaks(survey_)[0].run_id.find('\n'), std::string::npos);
}

TEST_F(Leaks, WhatAnotherBrokerHasIsForeignAndComesLast) {
  Label("c1", "theirs", run_id_);
  Label("c2", "", run_id_);
  Label("c3", "ours", run_id_);
  EXPECT_THAT(Found(), ElementsAre("stray c3", "foreign c1", "foreign c2"));
  EXPECT_THAT(FindLeaks(survey_)[1].cause, HasSubstr("'theirs'"));
}

TEST_F(Leaks, ARunThatIsOverdueShowsOnTheEngineAndOnTheDisk) {
  Know(run::RunState::kOverdue);
  Journal("c1");
  Label("c1", "ours", run_id_);
  EXPECT_THAT(Found(), ElementsAre("overdue c1", "overdue " + run_id_));
}

TEST_F(Leaks, ADirectoryThatNoKnownRunHasIsOne) {
  Journal("c1");
  EXPECT_THAT(Found(), ElementsAre("run-directory " + run_id_));
  EXPECT_EQ(FindLeaks(survey_)[0].where, "/state/runs/" + run_id_);
}

TEST_F(Leaks, WhatTheJournalNamesAndTheEngineHasNotIsGone) {
  Know(run::RunState::kRunning);
  Journal("c1");
  EXPECT_THAT(Found(), ElementsAre("gone c1"));
}

TEST_F(Leaks, WhatIsPlannedOrBeingTornDownIsNotGone) {
  Know(run::RunState::kPreparing);
  Journal("");
  EXPECT_THAT(Found(), IsEmpty());
  survey_.runs[0].state = run::RunState::kTearingDown;
  survey_.state->runs[0].entry->resources[0].id = "c1";
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(Leaks, WhatIsKeptOfAKnownRunIsNone) {
  Keep();
  KnowKept(false);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(Leaks, WhatIsKeptBeyondItsRetentionIsOverdueAndSaysWhy) {
  Keep();
  KnowKept(true, "it holds 'x'");
  EXPECT_THAT(Found(), ElementsAre("overdue " + run_id_));
  EXPECT_EQ(FindLeaks(survey_)[0].where, "/state/kept/" + run_id_);
  EXPECT_THAT(FindLeaks(survey_)[0].cause, HasSubstr("it holds 'x'"));
}

TEST_F(Leaks, WhatIsKeptOfARunThatWaitsForItsRecordIsOverdue) {
  Keep();
  KnowKept(true);
  EXPECT_THAT(Found(), ElementsAre("overdue " + run_id_));
  EXPECT_THAT(FindLeaks(survey_)[0].cause, HasSubstr("on record"));
}

TEST_F(Leaks, WhatIsKeptOfNoKnownRunIsListed) {
  Keep();
  EXPECT_THAT(Found(), ElementsAre("kept-directory " + run_id_));
  EXPECT_THAT(FindLeaks(survey_)[0].cause, HasSubstr("no run that is known"));
}

TEST_F(Leaks, WhatIsKeptAndCannotBeBelievedIsListedAlsoOfAKnownRun) {
  Keep("torn or no journal file");
  KnowKept(false);
  EXPECT_THAT(Found(), ElementsAre("kept-directory " + run_id_));
  EXPECT_THAT(FindLeaks(survey_)[0].cause, HasSubstr("torn"));
}

TEST_F(Leaks, WhatAnotherBrokerHasKeptIsListedWithItsName) {
  Keep("", "theirs");
  EXPECT_THAT(Found(), ElementsAre("kept-directory " + run_id_));
  EXPECT_THAT(FindLeaks(survey_)[0].cause, HasSubstr("'theirs'"));
}

TEST_F(Leaks, WhatWasSetAsideIsListedWithItsReason) {
  survey_.state->set_aside = {{.name = "a", .reason = "runs/x -> set-aside/a: torn\nmore"},
                              {.name = "b", .reason = ""}};
  EXPECT_THAT(Found(), ElementsAre("set-aside a", "set-aside b"));
  EXPECT_EQ(FindLeaks(survey_)[0].cause, "runs/x -> set-aside/a: torn");
}

TEST_F(Leaks, AFileInTheStateFolderThatIsNotTheBrokersIsUnknown) {
  survey_.state->strangers = {"lost+found"};
  EXPECT_THAT(Found(), ElementsAre("unknown-file lost+found"));
  EXPECT_EQ(FindLeaks(survey_)[0].where, "/state/lost+found");
}

TEST_F(Leaks, AnEngineThatDoesNotAnswerIsSaidAndMakesNothingGone) {
  Know(run::RunState::kRunning);
  Journal("c1");
  survey_.engines.at("docker") = Fail(ErrorCode::kUnavailable, "reach the engine: it is away");
  EXPECT_THAT(Found(), ElementsAre("not-compared "));
  EXPECT_THAT(FindLeaks(survey_)[0].cause, HasSubstr("it is away"));
}

TEST_F(Leaks, AStateFolderThatCannotBeReadIsSaid) {
  survey_.state = Fail(ErrorCode::kInternal, "list 'runs': broken");
  EXPECT_THAT(Found(), ElementsAre("not-compared "));
}

TEST_F(Leaks, OnlyWhatWasSeenTwiceCounts) {
  const Leak stays{.kind = "stray", .id = "a", .run_id = "", .where = "w", .cause = "first"};
  const Leak goes{.kind = "stray", .id = "b", .run_id = "", .where = "w", .cause = "first"};
  Leak again = stays;
  again.cause = "second";
  EXPECT_THAT(InBoth({stays, goes}, {again}), ElementsAre(stays));
}

}  // namespace
}  // namespace tidewaiter::daemon
