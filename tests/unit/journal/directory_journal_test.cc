#include "broker/journal/directory_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <thread>

#include "broker/journal/entry_format.h"
#include "broker/journal/sealed_file.h"
#include "tests/support/only_chown.h"
#include "tests/support/required.h"
#include "tests/support/scratch_folder.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::journal {
namespace {

namespace fs = std::filesystem;
using audit::AppendText;
using audit::ReadText;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<run::JournalEntry> Unfinished(const run::RunJournal::Found& found) {
  std::vector<run::JournalEntry> entries;
  for (const auto& run : found.runs) entries.push_back(run.entry);
  return entries;
}

class DirectoryJournalTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen() {
    auto opened = DirectoryJournal::Open(folder_.path(), broker_id_);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    journal_ = *std::move(opened);
  }

  run::JournalEntry NewEntry() const {
    run::JournalEntry entry;
    entry.run_id = RunId(RandomId());
    entry.broker_id = broker_id_;
    entry.backend = "docker";
    entry.caller = {.uid = 990,
                    .gid = 991,
                    .pid = 42,
                    .pid_start = 1234,
                    .executable = "/usr/bin/validator",
                    .principal = "validator"};
    entry.requested_image = "busybox:1.0.0";
    entry.resolved = {.digest = "sha256:dd", .image_id = "sha256:ii"};
    entry.image = "docker.io/library/busybox:1.0.0";
    entry.policy_name = "default";
    entry.policy_hash = "sha256:aa";
    entry.log_mark = "7@2026-10-02T12:34:56.000000789Z";
    entry.resources = {{.kind = run::Resource::Kind::kNetwork, .name = "tw-n", .id = "id"},
                       {.kind = run::Resource::Kind::kContainer, .name = "tw-c", .id = ""},
                       {.kind = run::Resource::Kind::kNetworkPolicy, .name = "tw-p", .id = "u1"},
                       {.kind = run::Resource::Kind::kPod, .name = "tw-j", .id = ""},
                       {.kind = run::Resource::Kind::kSecrets, .name = "tw-j", .id = ""},
                       {.kind = run::Resource::Kind::kJob, .name = "tw-j", .id = "u2"}};
    entry.left_at = {.at = std::chrono::system_clock::time_point(std::chrono::milliseconds(6)),
                     .boot_id = "boot",
                     .since_boot = std::chrono::milliseconds(7)};
    return entry;
  }
  fs::path RunFolder(const run::JournalEntry& entry) const { return runs_ / entry.run_id.value(); }
  fs::path File(const run::JournalEntry& entry) const { return RunFolder(entry) / "run.pb"; }

  // The entry opened, then its file's bytes replaced.
  run::JournalEntry OpenWithBytes(const std::string& bytes) {
    const run::JournalEntry entry = NewEntry();
    EXPECT_TRUE(journal_->Open(entry).has_value());
    fs::resize_file(File(entry), 0);
    AppendText(File(entry), bytes);
    return entry;
  }
  // That Load sets everything aside with that reason, and leaves nothing in `runs`.
  void ExpectSetAside(const std::string& reason) {
    const auto found = journal_->Load();
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_THAT(found->runs, IsEmpty());
    ASSERT_THAT(found->set_aside, SizeIs(1));
    EXPECT_THAT(found->set_aside[0].what, HasSubstr(reason));
    EXPECT_TRUE(found->set_aside[0].moved);
    EXPECT_EQ(*journal_->CountSetAside(), 1U);
    EXPECT_TRUE(fs::is_empty(runs_));
    EXPECT_EQ(std::distance(fs::directory_iterator(aside_), fs::directory_iterator()), 2)
        << "the thing itself and its reason";
  }

  audit::ScratchFolder folder_;
  const fs::path runs_ = folder_.File("runs");
  const fs::path aside_ = folder_.File("set-aside");
  const BrokerId broker_id_{RandomId()};
  std::unique_ptr<DirectoryJournal> journal_;
};

TEST_F(DirectoryJournalTest, WhatWasOpenedIsLoadedByTheNextProcess) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  Reopen();
  EXPECT_THAT(Unfinished(*journal_->Load()), ElementsAre(entry));
}

TEST_F(DirectoryJournalTest, AnUpdateReplacesTheEntry) {
  run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  entry.resources[1].id = "container-id";
  entry.finished_recorded = true;
  ASSERT_TRUE(journal_->Update(entry).has_value());
  EXPECT_THAT(Unfinished(*journal_->Load()), ElementsAre(entry));
}

TEST_F(DirectoryJournalTest, NothingIsReadableByOthers) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  for (const fs::path& path : {runs_, aside_, RunFolder(entry), File(entry)}) {
    EXPECT_EQ(fs::status(path).permissions() & fs::perms(0077), fs::perms::none) << path;
  }
}

TEST_F(DirectoryJournalTest, CloseLeavesNothingAndSaysSo) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  const run::Removal removal = journal_->Close(entry.run_id, Deadline::Never());
  EXPECT_TRUE(removal.confirmed_absent) << removal.error;
  EXPECT_EQ(removal.kind, "run-directory");
  EXPECT_EQ(removal.id, entry.run_id.value());
  EXPECT_TRUE(fs::is_empty(runs_));
}

TEST_F(DirectoryJournalTest, ClosingTwiceIsASuccess) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  static_cast<void>(journal_->Close(entry.run_id, Deadline::Never()));
  EXPECT_TRUE(journal_->Close(entry.run_id, Deadline::Never()).confirmed_absent);
}

TEST_F(DirectoryJournalTest, AFolderThatHoldsMoreKeepsItsEntryAtClose) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  AppendText(RunFolder(entry) / "output", "x");
  const run::Removal removal = journal_->Close(entry.run_id, Deadline::Never());
  EXPECT_FALSE(removal.confirmed_absent);
  EXPECT_THAT(removal.error, HasSubstr("'output'"));
  EXPECT_THAT(Unfinished(*journal_->Load()), ElementsAre(entry));
}

TEST_F(DirectoryJournalTest, ARunCannotBeOpenedTwice) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  EXPECT_EQ(journal_->Open(entry).error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(Unfinished(*journal_->Load()), ElementsAre(entry));
}

TEST_F(DirectoryJournalTest, AnUpdateOfAnUnknownRunMakesNothing) {
  EXPECT_EQ(journal_->Update(NewEntry()).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(fs::is_empty(runs_));
}

TEST_F(DirectoryJournalTest, AnIdThatIsAPathIsRefused) {
  run::JournalEntry entry = NewEntry();
  for (const char* id : {"", ".", "..", "../outside", "a/b"}) {
    entry.run_id = RunId(id);
    EXPECT_EQ(journal_->Open(entry).error().code, ErrorCode::kInvalidArgument) << id;
    EXPECT_FALSE(journal_->Close(entry.run_id, Deadline::Never()).confirmed_absent) << id;
  }
  EXPECT_TRUE(fs::exists(runs_));
}

TEST_F(DirectoryJournalTest, EveryPrefixOfAnEntryIsTorn) {
  const std::string whole = FormatEntry(NewEntry()).value();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(ParseEntry(std::string_view(whole).substr(0, length)).has_value()) << length;
  }
}

TEST_F(DirectoryJournalTest, AFlippedByteIsNeverBelieved) {
  const run::JournalEntry entry = NewEntry();
  const std::string whole = FormatEntry(entry).value();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x01);
    const auto parsed = ParseEntry(bytes);
    EXPECT_TRUE(!parsed.has_value() || *parsed == entry) << at;
  }
}

TEST_F(DirectoryJournalTest, ATornEntryIsSetAside) {
  OpenWithBytes(FormatEntry(NewEntry())->substr(0, 40));
  ExpectSetAside("torn");
}

TEST_F(DirectoryJournalTest, WhatIsSetAsideStillTellsItsRun) {
  const run::JournalEntry entry = OpenWithBytes("torn");
  EXPECT_EQ(journal_->Load()->set_aside.at(0).run_id, entry.run_id);
}

// What older brokers wrote: fields 1 to 9.
TEST_F(DirectoryJournalTest, AnEntryOfAnOlderBrokerIsReadWithoutWhatItLacks) {
  run::JournalEntry entry = NewEntry();
  entry.log_mark = entry.requested_image = "";
  entry.resolved = {};
  entry.caller.pid_start.reset();
  entry.caller.executable = "";
  const std::string bytes = *FormatEntry(entry);
  EXPECT_EQ(bytes.find("@2026"), std::string::npos);
  EXPECT_EQ(bytes.find("/usr/bin/validator"), std::string::npos);
  EXPECT_EQ(*ParseEntry(bytes), entry);
}

TEST_F(DirectoryJournalTest, ANewerVersionIsSetAside) {
  OpenWithBytes("\x08\x02");  // field 1, a varint: 2
  ExpectSetAside("version 2");
}

TEST_F(DirectoryJournalTest, AnImpossibleTimeIsSetAside) {
  const std::string minus_one = std::string(9, '\xff') + '\x01';
  OpenWithBytes(Seal("\x72\x0b\x28" + minus_one));  // detachment.timeout_millis
  ExpectSetAside("impossible time");
}

TEST_F(DirectoryJournalTest, AnImpossibleTimeOfItsLossIsSetAside) {
  const std::string minus_one = std::string(9, '\xff') + '\x01';
  OpenWithBytes(Seal("\x7a\x0b\x18" + minus_one));  // left_at.boottime_millis
  ExpectSetAside("impossible time");
}

TEST_F(DirectoryJournalTest, TimesAndSizesThatCannotBeAreNotWritten) {
  using std::chrono::milliseconds;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  static constexpr milliseconds kLast =
      std::chrono::floor<milliseconds>(std::chrono::nanoseconds::max());
  const auto refused = [this](const auto& change) {
    run::JournalEntry entry = NewEntry();
    change(entry.detachment.emplace().launch.emplace(), *entry.detachment);
    const auto written = FormatEntry(entry);
    return !written && written.error().code == ErrorCode::kInvalidArgument;
  };
  using L = run::Launch;
  using D = run::Detachment;
  EXPECT_FALSE(refused([](L&, D& of) { of.log_bytes = of.output_bytes = kMost / 2; }));
  EXPECT_TRUE(refused([](L&, D& of) { of.log_bytes = kMost / 2 + 1; }));
  EXPECT_TRUE(refused([](L&, D& of) { of.output_bytes = -1; }));
  EXPECT_FALSE(refused([](L&, D& of) { of.timeout = kLast; }));
  EXPECT_TRUE(refused([](L&, D& of) { of.timeout = kLast + milliseconds(1); }));
  EXPECT_TRUE(refused([](L& launch, D&) { launch.since_boot = milliseconds(-1); }));
  EXPECT_TRUE(refused([](L& launch, D&) { launch.at -= milliseconds(1); }));
  run::JournalEntry left = NewEntry();
  left.left_at->since_boot = milliseconds(-1);
  EXPECT_FALSE(FormatEntry(left).has_value());
}

TEST_F(DirectoryJournalTest, AnotherRunsEntryIsSetAside) {
  OpenWithBytes(*FormatEntry(NewEntry()));
  ExpectSetAside("entry of run");
}

TEST_F(DirectoryJournalTest, AnotherBrokersEntryIsSetAside) {
  run::JournalEntry entry = NewEntry();
  entry.broker_id = BrokerId(RandomId());
  ASSERT_TRUE(journal_->Open(entry).has_value());
  ExpectSetAside("another broker's");
}

TEST_F(DirectoryJournalTest, ANameThatIsNoRunIdIsSetAside) {
  fs::create_directory(runs_ / "backup");
  ExpectSetAside("no run id");
}

TEST_F(DirectoryJournalTest, ALinkInPlaceOfAFolderIsSetAsideAndNotFollowed) {
  fs::create_directory(folder_.File("elsewhere"));
  fs::create_directory_symlink(folder_.File("elsewhere"), runs_ / RandomId());
  ExpectSetAside("open run directory");
  EXPECT_TRUE(fs::exists(folder_.File("elsewhere")));
}

TEST_F(DirectoryJournalTest, ALinkInPlaceOfAnEntryIsSetAside) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  fs::rename(File(entry), folder_.File("entry"));
  fs::create_symlink(folder_.File("entry"), File(entry));
  ExpectSetAside("not a regular file");
}

TEST_F(DirectoryJournalTest, AFifoInPlaceOfAnEntryDoesNotHang) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  fs::remove(File(entry));
  ASSERT_EQ(::mkfifo(File(entry).c_str(), 0600), 0);
  ExpectSetAside("not a regular file");
}

TEST_F(DirectoryJournalTest, AnEntryThatOthersCanWriteIsSetAside) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  fs::permissions(File(entry), fs::perms(0606));
  ExpectSetAside("writable by others");
}

TEST_F(DirectoryJournalTest, AHugeEntryIsSetAsideUnread) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  fs::resize_file(File(entry), std::uintmax_t{1} << 40U);
  ExpectSetAside("too large");
}

TEST_F(DirectoryJournalTest, AHostileNameDoesNotForgeALine) {
  fs::create_directory(runs_ / "x\nrun admitted");
  const auto found = journal_->Load();
  EXPECT_THAT(found->set_aside.at(0).what, HasSubstr("x\\x0arun admitted"));
  EXPECT_EQ(found->set_aside[0].run_id, RunId()) << "its name is no run id";
}

TEST_F(DirectoryJournalTest, WhatACrashAmidOpenOrCloseLeftIsRemoved) {
  fs::create_directory(runs_ / RandomId());
  OpenWithBytes("");
  const auto found = journal_->Load();
  EXPECT_THAT(found->runs, IsEmpty());
  EXPECT_THAT(found->set_aside, IsEmpty());
  EXPECT_TRUE(fs::is_empty(runs_));
}

TEST_F(DirectoryJournalTest, ACrashAmidAnUpdateLeavesTheOldEntry) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  AppendText(RunFolder(entry) / "run.pb.new", "half");
  EXPECT_THAT(Unfinished(*journal_->Load()), ElementsAre(entry));
  ASSERT_TRUE(journal_->Update(entry).has_value());
  EXPECT_TRUE(journal_->Close(entry.run_id, Deadline::Never()).confirmed_absent);
}

TEST_F(DirectoryJournalTest, ManyRunsAtOnceDoNotMeet) {
  {
    std::vector<std::jthread> runs;
    for (int i = 0; i < 16; ++i) {
      runs.emplace_back([this] {
        run::JournalEntry entry = NewEntry();
        ASSERT_TRUE(journal_->Open(entry).has_value());
        ASSERT_TRUE(journal_->Update(entry).has_value());
        ASSERT_TRUE(journal_->Close(entry.run_id, Deadline::Never()).confirmed_absent);
      });
    }
  }
  EXPECT_TRUE(fs::is_empty(runs_));
}

TEST_F(DirectoryJournalTest, AStateFolderThatOthersCanWriteIsRefused) {
  fs::permissions(folder_.path(), fs::perms(0777));
  const auto opened = DirectoryJournal::Open(folder_.path(), broker_id_);
  EXPECT_EQ(opened.error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(DirectoryJournalTest, ALinkInPlaceOfTheRunsFolderIsRefused) {
  fs::remove(runs_);
  fs::create_directory_symlink(aside_, runs_);
  EXPECT_FALSE(DirectoryJournal::Open(folder_.path(), broker_id_).has_value());
}

TEST_F(DirectoryJournalTest, TextThatIsNotUtf8IsRefusedBeforeAnythingIsMade) {
  run::JournalEntry entry = NewEntry();
  entry.image = "\xFF";
  EXPECT_EQ(journal_->Open(entry).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(fs::is_empty(runs_));
}

TEST_F(DirectoryJournalTest, CloseRemovesTheRunsFilesWithTheEntry) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  fs::create_directories(RunFolder(entry) / "inputs/code/deep/er");
  fs::create_directories(RunFolder(entry) / "outputs/results");
  AppendText(RunFolder(entry) / "outputs/results/file", "x");
  fs::create_symlink("/etc", RunFolder(entry) / "outputs/results/link");
  fs::permissions(RunFolder(entry) / "inputs/code/deep", fs::perms::none);
  const run::Removal removal = journal_->Close(entry.run_id, Deadline::Never());
  EXPECT_TRUE(removal.confirmed_absent) << removal.error;
  EXPECT_FALSE(fs::exists(RunFolder(entry)));
  EXPECT_TRUE(fs::exists("/etc"));
}

TEST_F(DirectoryJournalTest, FilesThatAreNotRemovedInTimeKeepTheEntry) {
  const run::JournalEntry entry = NewEntry();
  ASSERT_TRUE(journal_->Open(entry).has_value());
  fs::create_directories(RunFolder(entry) / "inputs/code");
  const auto now = Deadline::After(std::chrono::seconds(0));
  EXPECT_FALSE(journal_->Close(entry.run_id, now).confirmed_absent);
  EXPECT_TRUE(fs::exists(File(entry)));
  EXPECT_TRUE(journal_->Close(entry.run_id, Deadline::Never()).confirmed_absent);
}

// The unit's way: another user than root, with CAP_CHOWN and nothing else.
TEST_F(DirectoryJournalTest, CloseTakesBackWhatTheContainerHasClosed) {
  TW_REQUIRE_ROOT();
  const run::JournalEntry entry = NewEntry();
  testing::ScratchFolder state;
  ASSERT_EQ(::chown(state.path().c_str(), testing::kOnlyChownUser, 0), 0);
  const auto open = [&] { return DirectoryJournal::Open(state.path(), broker_id_); };
  ASSERT_TRUE(testing::WithOnlyChown([&] {
    const auto journal = open();
    return journal.has_value() && (*journal)->Open(entry).has_value();
  }));
  const fs::path outputs = state.path() + "/runs/" + entry.run_id.value() + "/outputs";
  fs::create_directories(outputs / "results/closed/deep");
  ASSERT_EQ(::chown(outputs.c_str(), testing::kOnlyChownUser, 0), 0);
  for (const char* path : {"results/closed/deep", "results/closed", "results"}) {
    ASSERT_EQ(::chown((outputs / path).c_str(), 65534, 65534), 0);
    ASSERT_EQ(::chmod((outputs / path).c_str(), 0), 0);
  }
  EXPECT_TRUE(testing::WithOnlyChown([&] {
    const auto journal = open();
    return journal.has_value() &&
           (*journal)->Close(entry.run_id, Deadline::Never()).confirmed_absent;
  }));
  EXPECT_FALSE(fs::exists(outputs));
}

}  // namespace
}  // namespace tidewaiter::journal
