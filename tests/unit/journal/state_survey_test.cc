#include "broker/journal/state_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "broker/journal/broker_identity.h"
#include "broker/journal/directory_journal.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::journal {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StateSurveyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto id = LoadOrCreateBrokerId(folder_.path());
    ASSERT_TRUE(id.has_value());
    auto journal = DirectoryJournal::Open(folder_.path(), *id);
    ASSERT_TRUE(journal.has_value());
    journal_ = *std::move(journal);
    entry_.run_id = RunId(RandomId());
    entry_.broker_id = *id;
    entry_.backend = "docker";
    entry_.caller.principal = "p";
  }
  [[nodiscard]] StateSurvey Look() const {
    auto survey = SurveyState(folder_.path());
    EXPECT_TRUE(survey.has_value());
    return survey ? *survey : StateSurvey();
  }
  void KeepOne() {
    entry_.detachment.emplace();
    ASSERT_TRUE(journal_->Open(entry_).has_value());
    run::KeptRun run;
    run.entry = entry_;
    run.outcome.kind = run::Outcome::Kind::kExited;
    ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  }
  testing::ScratchFolder folder_;
  std::unique_ptr<DirectoryJournal> journal_;
  run::JournalEntry entry_;
};

TEST_F(StateSurveyTest, AFolderInUseHasNothingStrange) {
  EXPECT_THAT(Look().runs, IsEmpty());
  EXPECT_THAT(Look().strangers, IsEmpty());
}

TEST_F(StateSurveyTest, ReadsTheEntriesOfRuns) {
  ASSERT_TRUE(journal_->Open(entry_).has_value());
  const StateSurvey survey = Look();
  ASSERT_THAT(survey.runs, SizeIs(1));
  EXPECT_EQ(survey.runs[0].name, entry_.run_id.value());
  EXPECT_EQ(survey.runs[0].entry, entry_);
}

TEST_F(StateSurveyTest, WhatCannotBeReadIsListedAndLeftWhereItIs) {
  const fs::path torn = fs::path(folder_ / "runs") / "torn";
  fs::create_directory(torn);
  std::ofstream(torn / "run.pb") << "torn";
  fs::create_symlink("/etc", fs::path(folder_ / "runs") / "link");
  const StateSurvey survey = Look();
  ASSERT_THAT(survey.runs, SizeIs(2));
  EXPECT_FALSE(survey.runs[0].entry.has_value());
  EXPECT_FALSE(survey.runs[1].entry.has_value());
  EXPECT_TRUE(fs::exists(torn / "run.pb"));
}

TEST_F(StateSurveyTest, WhatIsKeptIsListedWithItsBroker) {
  KeepOne();
  const StateSurvey survey = Look();
  EXPECT_THAT(survey.runs, IsEmpty());
  ASSERT_THAT(survey.kept, SizeIs(1));
  EXPECT_EQ(survey.kept[0].name, entry_.run_id.value());
  EXPECT_EQ(survey.kept[0].broker_id, entry_.broker_id);
  EXPECT_EQ(survey.kept[0].fault, "");
}

TEST_F(StateSurveyTest, WhatIsKeptAndIsBeingRemovedHasNoFaultWithoutItsResult) {
  KeepOne();
  ASSERT_TRUE(journal_->RemoveKept(entry_.run_id, Deadline::Never()).confirmed_absent);
  ASSERT_THAT(Look().kept, SizeIs(1));
  EXPECT_EQ(Look().kept[0].fault, "");
}

TEST_F(StateSurveyTest, WhatIsKeptAndCannotBeBelievedSaysWhyAndIsLeftWhereItIs) {
  KeepOne();
  const fs::path result = fs::path(folder_ / "kept") / entry_.run_id.value() / "result.pb";
  fs::resize_file(result, 20);
  fs::create_symlink("/etc", fs::path(folder_ / "kept") / "link");
  const StateSurvey survey = Look();
  ASSERT_THAT(survey.kept, SizeIs(2));
  EXPECT_THAT(survey.kept[0].fault + survey.kept[1].fault, ::testing::HasSubstr("torn"));
  EXPECT_THAT(survey.kept[0].fault + survey.kept[1].fault, ::testing::HasSubstr("open 'link'"));
  EXPECT_TRUE(fs::exists(result));
}

TEST_F(StateSurveyTest, WhatWasSetAsideComesWithItsReason) {
  fs::create_directory(fs::path(folder_ / "runs") / "torn");
  std::ofstream(folder_ / "runs/torn/run.pb") << "torn";
  const auto found = journal_->Load();
  ASSERT_TRUE(found.has_value());
  const StateSurvey survey = Look();
  ASSERT_THAT(survey.set_aside, SizeIs(1));
  EXPECT_EQ(survey.set_aside[0].reason, found->set_aside.at(0).what + "\n");
}

TEST_F(StateSurveyTest, FilesOfOthersInTheFolderAreStrangers) {
  fs::create_directory(folder_ / "lost+found");
  std::ofstream(folder_ / "notes") << "x";
  EXPECT_THAT(Look().strangers, ElementsAre("lost+found", "notes"));
}

TEST_F(StateSurveyTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_FALSE(SurveyState(folder_ / "nowhere").has_value());
}

}  // namespace
}  // namespace tidewaiter::journal
