// Detached runs on disk: from `runs` to `kept`, and away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "broker/journal/directory_journal.h"
#include "broker/journal/result_format.h"
#include "broker/journal/sealed_file.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::journal {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class KeptRunsTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    auto opened = DirectoryJournal::Open(folder_.path(), broker_id_);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    journal_ = *std::move(opened);
  }
  // Opened, with a log, an input and an output.
  run::KeptRun Finished() {
    run::KeptRun run;
    run.entry.run_id = RunId(RandomId());
    run.entry.broker_id = broker_id_;
    run.entry.backend = "docker";
    run.entry.caller = {.uid = 990, .gid = 991, .pid = 42, .principal = "validator"};
    run.entry.detachment = {
        .idempotency_key = "key",
        .outputs = {"out", "other"},
        .output_bytes = 77,
        .log_bytes = 78,
        .timeout = std::chrono::milliseconds(79),
        .tenant = {.challenge = "c", .job = "j", .task = "t"},
        .launch =
            run::Launch{.at = std::chrono::system_clock::time_point(std::chrono::milliseconds(5)),
                        .boot_id = "boot",
                        .since_boot = std::chrono::milliseconds(80)},
        .cancelled_by = "bob"};
    run.container_id = "cc";
    run.outcome = {.kind = run::Outcome::Kind::kTimedOut,
                   .exit_code = 143,
                   .oom_killed = true,
                   .message = "why",
                   .reason = "",
                   .duration = std::chrono::milliseconds(1234)};
    run.receipt.removals = {
        {.kind = "container", .id = "cc", .confirmed_absent = true, .error = ""}};
    run.dropped_bytes = 5;
    run.truncated = "LOG_LIMIT";
    run.log_bytes = 3;
    run.outputs = {
        {.name = "out",
         .summary =
             {.archive = {.entries = 2, .bytes = 3, .archive_bytes = 1024, .sha256 = "sha256:00"},
              .omissions = {.listed = {{.path = "a\\x0ab", .code = "symlink"}}, .count = 7}},
         .error = ""},
        {.name = "other", .summary = {}, .error = "too large"}};
    run.archive_bytes = 1024;
    run.ended_at =
        std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'123));
    EXPECT_TRUE(journal_->Open(run.entry).has_value());
    const fs::path folder = Runs() / run.entry.run_id.value();
    std::ofstream(folder / "log") << "log";
    fs::create_directories(folder / "inputs/in");
    fs::create_directories(folder / "outputs/out");
    fs::create_directories(folder / "archives");
    std::ofstream(folder / "archives/out.tar") << "tar";
    return run;
  }
  fs::path Runs() const { return fs::path(folder_.path()) / "runs"; }
  fs::path Kept(const run::KeptRun& run) const {
    return fs::path(folder_.path()) / "kept" / run.entry.run_id.value();
  }
  static void ExpectEqual(const run::KeptRun& a, const run::KeptRun& b) {
    EXPECT_EQ(a.entry, b.entry);
    EXPECT_EQ(a.container_id, b.container_id);
    EXPECT_EQ(*FormatResult(a), *FormatResult(b));
    EXPECT_EQ(a.outcome.kind, b.outcome.kind);
    EXPECT_EQ(a.outcome.duration, b.outcome.duration);
    EXPECT_EQ(a.log_bytes, b.log_bytes);
    EXPECT_EQ(a.archive_bytes, b.archive_bytes);
    EXPECT_EQ(a.outputs, b.outputs);
    EXPECT_EQ(a.ended_at, b.ended_at);
  }

  testing::ScratchFolder folder_;
  const BrokerId broker_id_{RandomId()};
  std::unique_ptr<DirectoryJournal> journal_;
};

TEST_F(KeptRunsTest, WhatIsKeptIsReadBackByTheNextProcess) {
  const run::KeptRun run = Finished();
  const auto kept = journal_->Keep(run, Deadline::Never());
  ASSERT_TRUE(kept.has_value()) << kept.error().message;
  ExpectEqual(*kept, run);
  Reopen();
  const auto found = journal_->LoadKept();
  ASSERT_TRUE(found.has_value());
  ASSERT_THAT(found->runs, SizeIs(1));
  ExpectEqual(found->runs[0], run);
  EXPECT_THAT(journal_->Load()->runs, IsEmpty());
}

TEST_F(KeptRunsTest, WhatTheContainerWroteGoesAndItsArchivesStay) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  EXPECT_FALSE(fs::exists(Kept(run) / "inputs"));
  EXPECT_FALSE(fs::exists(Kept(run) / "outputs"));
  EXPECT_TRUE(fs::exists(Kept(run) / "archives/out.tar"));
}

TEST_F(KeptRunsTest, TheNextProcessFindsHowAnUnfinishedRunEnded) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Conclude(run).has_value());
  Reopen();
  const auto found = journal_->Load();
  ASSERT_TRUE(found.has_value());
  ASSERT_THAT(found->runs, SizeIs(1));
  ASSERT_TRUE(found->runs[0].result.has_value());
  ExpectEqual(*found->runs[0].result, run);
}

TEST_F(KeptRunsTest, ATornResultOfAnUnfinishedRunIsSetAside) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Conclude(run).has_value());
  fs::resize_file(Runs() / run.entry.run_id.value() / "result.pb", 20);
  const auto found = journal_->Load();
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(found->runs, IsEmpty());
  ASSERT_THAT(found->set_aside, SizeIs(1));
  EXPECT_EQ(found->set_aside[0].run_id, run.entry.run_id);
}

TEST_F(KeptRunsTest, WhatCameOfItLaterIsKeptInPlaceOfWhatWasConcluded) {
  run::KeptRun run = Finished();
  run.receipt.removals[0].confirmed_absent = false;
  ASSERT_TRUE(journal_->Conclude(run).has_value());
  run.receipt.removals[0].confirmed_absent = true;
  const auto kept = journal_->Keep(run, Deadline::Never());
  ASSERT_TRUE(kept.has_value()) << kept.error().message;
  EXPECT_TRUE(kept->receipt.Complete());
}

// A crash amid RemoveKept.
TEST_F(KeptRunsTest, OneWhoseRemovalWasBrokenOffIsOfferedToNobodyAndStillCounts) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  fs::rename(Kept(run) / "result.pb", Kept(run) / "removed.pb");
  Reopen();
  const auto found = journal_->LoadKept();
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(found->runs, IsEmpty());
  EXPECT_THAT(found->set_aside, IsEmpty());
  ASSERT_THAT(found->expired, SizeIs(1));
  EXPECT_EQ(found->expired[0].entry, run.entry);
  EXPECT_EQ(found->expired[0].bytes, run.log_bytes + run.archive_bytes);
}

// A crash before its record, or right after it.
TEST_F(KeptRunsTest, OneWhoseFilesAreGoneIsFoundUntilItIsForgotten) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  ASSERT_TRUE(journal_->RemoveKept(run.entry.run_id, Deadline::Never()).confirmed_absent);
  Reopen();
  const auto found = journal_->LoadKept();
  ASSERT_TRUE(found.has_value());
  ASSERT_THAT(found->expired, SizeIs(1));
  EXPECT_EQ(found->expired[0].entry, run.entry);
  EXPECT_EQ(found->expired[0].bytes, 0U);
}

// A crash amid ForgetKept.
TEST_F(KeptRunsTest, WhatIsLeftOfOneThatWasRecordedGoesWithoutAWord) {
  const run::KeptRun marked = Finished();
  const run::KeptRun empty = Finished();
  for (const run::KeptRun& run : {marked, empty}) {
    ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
    ASSERT_TRUE(journal_->RemoveKept(run.entry.run_id, Deadline::Never()).confirmed_absent);
    fs::remove(Kept(run) / "run.pb");
  }
  fs::remove(Kept(empty) / "removed.pb");
  const auto found = journal_->LoadKept();
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(found->expired, IsEmpty());
  EXPECT_THAT(found->set_aside, IsEmpty());
  EXPECT_FALSE(fs::exists(Kept(marked)));
  EXPECT_FALSE(fs::exists(Kept(empty)));
}

TEST_F(KeptRunsTest, AMarkAloneBesideAnythingElseIsSetAside) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  fs::rename(Kept(run) / "result.pb", Kept(run) / "removed.pb");
  fs::remove(Kept(run) / "run.pb");
  const auto found = journal_->LoadKept();
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(found->expired, IsEmpty());
  EXPECT_THAT(found->set_aside, SizeIs(1));
}

TEST_F(KeptRunsTest, AMarkedOneOfAnotherBrokerIsSetAsideAndNotRemoved) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  fs::rename(Kept(run) / "result.pb", Kept(run) / "removed.pb");
  const auto other = DirectoryJournal::Open(folder_.path(), BrokerId(RandomId()));
  ASSERT_TRUE(other.has_value());
  const auto found = (*other)->LoadKept();
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(found->expired, IsEmpty());
  ASSERT_THAT(found->set_aside, SizeIs(1));
  EXPECT_THAT(found->set_aside[0].what, HasSubstr("another broker's"));
}

TEST_F(KeptRunsTest, OneWithoutAResultIsSetAside) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  fs::remove(Kept(run) / "result.pb");
  const auto found = journal_->LoadKept();
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(found->runs, IsEmpty());
  EXPECT_THAT(found->set_aside, SizeIs(1));
}

TEST_F(KeptRunsTest, OneThatCannotBeRemovedIsMarkedAndLeftAsItIs) {
  const run::KeptRun run = Finished();
  const run::KeptRun other = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  ASSERT_TRUE(journal_->Keep(other, Deadline::Never()).has_value());
  std::ofstream(Kept(run) / "foreign") << "x";
  const auto removal = journal_->RemoveKept(run.entry.run_id, Deadline::Never());
  EXPECT_FALSE(removal.confirmed_absent);
  EXPECT_THAT(removal.error, HasSubstr("it holds 'foreign'"));
  EXPECT_TRUE(fs::exists(Kept(run) / "archives/out.tar"));
  const auto found = journal_->LoadKept();
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_THAT(found->runs, SizeIs(1));
  EXPECT_THAT(found->set_aside, IsEmpty());
  ASSERT_THAT(found->expired, SizeIs(1));
  EXPECT_EQ(found->expired[0].bytes, run.log_bytes + run.archive_bytes);
}

TEST_F(KeptRunsTest, OneWhoseResultIsMissingIsMarkedAllTheSame) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  fs::remove(Kept(run) / "result.pb");
  EXPECT_TRUE(journal_->RemoveKept(run.entry.run_id, Deadline::Never()).confirmed_absent);
  EXPECT_THAT(journal_->LoadKept()->expired, SizeIs(1));
}

TEST_F(KeptRunsTest, ARemovalThatIsBrokenOffKeepsItsMark) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  fs::create_directories(Kept(run) / "archives" / "a");
  EXPECT_FALSE(journal_->RemoveKept(run.entry.run_id, Deadline::After({})).confirmed_absent);
  EXPECT_TRUE(fs::exists(Kept(run) / "removed.pb"));
  EXPECT_TRUE(journal_->RemoveKept(run.entry.run_id, Deadline::Never()).confirmed_absent);
}

// A hostile engine's or container's texts do not stop a run from being concluded.
TEST_F(KeptRunsTest, TextsThatAreNoneAreWrittenAsTheyCanBe) {
  run::KeptRun run = Finished();
  run.outcome.message = "\xff" + std::string(100'000, 'x');
  run.receipt.removals[0].error = "\xfe";
  for (int i = 0; i < 1000; ++i) {
    run.outputs[0].summary.omissions.listed.push_back(
        {.path = std::string(4000, 'p'), .code = "c"});
  }
  const auto kept = journal_->Keep(run, Deadline::Never());
  ASSERT_TRUE(kept.has_value()) << kept.error().message;
  EXPECT_THAT(kept->outcome.message, HasSubstr("\\xff"));
  EXPECT_EQ(kept->outputs[0].summary.omissions.count, 7U);
}

TEST_F(KeptRunsTest, KeepingTwiceIsKeepingOnce) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  const auto again = journal_->Keep(run, Deadline::Never());
  ASSERT_TRUE(again.has_value()) << again.error().message;
  ExpectEqual(*again, run);
}

TEST_F(KeptRunsTest, OfARemovedOneTheEntryIsLeftAndAnEmptyMark) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  const auto removal = journal_->RemoveKept(run.entry.run_id, Deadline::Never());
  EXPECT_TRUE(removal.confirmed_absent) << removal.error;
  std::set<std::string> names;
  for (const auto& each : fs::directory_iterator(Kept(run))) names.insert(each.path().filename());
  EXPECT_THAT(names, ElementsAre("removed.pb", "run.pb"));
  EXPECT_TRUE(fs::is_empty(Kept(run) / "removed.pb"));
}

TEST_F(KeptRunsTest, AForgottenOneIsGone) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  ASSERT_TRUE(journal_->RemoveKept(run.entry.run_id, Deadline::Never()).confirmed_absent);
  const auto removal = journal_->ForgetKept(run.entry.run_id, Deadline::Never());
  EXPECT_TRUE(removal.confirmed_absent) << removal.error;
  EXPECT_FALSE(fs::exists(Kept(run)));
  EXPECT_TRUE(journal_->RemoveKept(run.entry.run_id, Deadline::Never()).confirmed_absent);
  EXPECT_TRUE(journal_->ForgetKept(run.entry.run_id, Deadline::Never()).confirmed_absent);
}

TEST_F(KeptRunsTest, OneThatIsNoDetachedRunsIsClosedWithItsLog) {
  const run::KeptRun run = Finished();
  EXPECT_TRUE(journal_->Close(run.entry.run_id, Deadline::Never()).confirmed_absent);
  EXPECT_TRUE(fs::is_empty(Runs()));
}

TEST_F(KeptRunsTest, ATornResultIsSetAside) {
  const run::KeptRun run = Finished();
  ASSERT_TRUE(journal_->Keep(run, Deadline::Never()).has_value());
  fs::resize_file(Kept(run) / "result.pb", 20);
  const auto found = journal_->LoadKept();
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(found->runs, IsEmpty());
  ASSERT_THAT(found->set_aside, SizeIs(1));
  EXPECT_THAT(found->set_aside[0].what, HasSubstr("kept/" + run.entry.run_id.value()));
  EXPECT_THAT(found->set_aside[0].what, HasSubstr("torn"));
  EXPECT_FALSE(fs::exists(Kept(run)));
}

TEST_F(KeptRunsTest, WhatIsNoResultIsNotGuessedAt) {
  run::KeptRun run;
  const auto written = FormatResult(run);
  ASSERT_TRUE(written.has_value());
  EXPECT_TRUE(ParseResult(*written, run).has_value());
  const auto parsed = ParseResult("junk", run);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().Reason(), "JOURNAL_UNREADABLE");
}

TEST_F(KeptRunsTest, ATimeThatNoClockShowsIsNotBelieved) {
  run::KeptRun run;
  const std::string outcome =
      "\x12\x06"
      "EXITED";
  EXPECT_TRUE(ParseResult(Seal(outcome), run).has_value());
  const std::string most = std::string(8, '\xff') + '\x7f';
  for (const std::string field : {"\x38", "\x60"}) {  // duration_millis, ended_at_millis
    const auto parsed = ParseResult(Seal(outcome + field + most), run);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_THAT(parsed.error().message, HasSubstr("impossible time"));
  }
}

TEST_F(KeptRunsTest, ATextThatWasCutIsWrittenAgainAsItIs) {
  run::KeptRun run = Finished();
  run.outcome.message = std::string(4060, 'x') + std::string(40, '\n');
  const auto written = FormatResult(run);
  ASSERT_TRUE(written.has_value());
  ASSERT_TRUE(ParseResult(*written, run).has_value());
  EXPECT_THAT(run.outcome.message, HasSubstr("\\x0a"));
  EXPECT_TRUE(*FormatResult(run) == *written) << "of some thousand bytes";
}

}  // namespace
}  // namespace tidewaiter::journal
