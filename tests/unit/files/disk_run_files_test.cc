// With the real worker, on a real disk.
#include "broker/files/disk_run_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "broker/files/ownership.h"
#include "broker/files/sha256.h"
#include "extract/extraction.h"
#include "extract/worker_process.h"
#include "tests/support/only_chown.h"
#include "tests/support/required.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tar_bytes.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::files {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TarBytes;

const run::Patience kPatience{.stop = {}, .deadline = Deadline::After(std::chrono::minutes(1))};
constexpr policy::UserId kJob{.uid = 65534, .gid = 65533};

class DiskRunFilesTest : public ::testing::Test {
 protected:
  DiskRunFilesTest() {
    std::signal(SIGPIPE, SIG_IGN);
    fs::create_directories(folder_ / "kept");
    fs::create_directories(run_folder_);
    // Where another user, too, finds it.
    fs::copy_file(extract::WorkerBesideThisProgram(), folder_ / "worker");
  }

  std::unique_ptr<DiskRunFiles> Open(std::uint64_t min_free = 0) {
    auto files = DiskRunFiles::Open({.state_dir = folder_.path(),
                                     .worker = folder_ / "worker",
                                     .max_input_bytes_per_principal = 10'000,
                                     .min_free_bytes = min_free,
                                     .limits = {}});
    EXPECT_TRUE(files.has_value());
    return files ? *std::move(files) : nullptr;
  }
  static run::RunFiles::Owner Of(const policy::UserId& user) {
    return {.run_id = RunId("run"), .principal = "alice", .user = user};
  }
  static policy::UserId Self() { return {.uid = ::geteuid(), .gid = ::getegid()}; }
  // Takes `archive` in small pieces.
  static Result<run::ArchiveSummary> Take(DiskRunFiles& files, const std::string& archive,
                                          const policy::UserId& user = Self(),
                                          std::uint64_t max_bytes = 1000) {
    TW_ASSIGN(const auto receiver, files.Receive(Of(user), "code", max_bytes));
    for (std::size_t at = 0; at < archive.size(); at += 700) {
      TW_TRY(receiver->Write(SharedBytes(archive.substr(at, 700)), kPatience));
    }
    return receiver->Finish(kPatience);
  }
  struct Sent {
    Result<run::OutputSummary> end = run::OutputSummary();
    std::string archive;
  };
  static Sent Send(DiskRunFiles& files, const run::Patience& patience = kPatience) {
    Sent sent;
    const auto write = [&sent](std::string_view piece) {
      sent.archive += piece;
      return Ok();
    };
    sent.end = files.Send(RunId("run"), "results", 1000, write, patience);
    return sent;
  }
  static std::string Owner(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return "missing";
    return std::to_string(status.st_uid) + ":" + std::to_string(status.st_gid) + " " +
           TarBytes::Octal(status.st_mode & 07777U, 3);
  }

  testing::ScratchFolder folder_;
  const std::string run_folder_ = folder_ / "runs/run";
};

TEST_F(DiskRunFilesTest, AnInputIsUnpackedHashedAndGivenToTheRunsUser) {
  TW_REQUIRE_ROOT();
  const auto files = Open();
  const std::string archive = TarBytes()
                                  .Folder("sub/")
                                  .Add({.name = "sub/f", .mode = "0000600"}, "content")
                                  .File("top")
                                  .Ended();
  const auto taken = Take(*files, archive, kJob);
  ASSERT_TRUE(taken.has_value()) << taken.error().message;
  EXPECT_EQ(taken->entries, 3U);
  EXPECT_EQ(taken->bytes, 8U);
  EXPECT_EQ(taken->archive_bytes, archive.size());
  Sha256 hash;
  hash.Add(archive);
  EXPECT_EQ(taken->sha256, hash.Finish());
  EXPECT_EQ(Owner(run_folder_ + "/inputs"), "0:0 700");
  EXPECT_EQ(Owner(run_folder_ + "/inputs/code"), "65534:65533 755");
  EXPECT_EQ(Owner(run_folder_ + "/inputs/code/sub"), "65534:65533 755");
  EXPECT_EQ(Owner(run_folder_ + "/inputs/code/sub/f"), "65534:65533 600");
}

TEST_F(DiskRunFilesTest, ARefusedInputSaysWhichRuleAndWhichEntry) {
  const auto files = Open();
  const auto taken =
      Take(*files, TarBytes().File("ok").Add({.name = "link", .type = '2', .link = "/"}).Ended());
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().Reason(), "INPUT_REFUSED");
  EXPECT_THAT(taken.error().message, HasSubstr("input 'code': refused: symbolic-link"));
  EXPECT_THAT(taken.error().message, HasSubstr("'link'"));
}

TEST_F(DiskRunFilesTest, ARefusalAmidTheArchiveIsToldBeforeItsEnd) {
  const auto files = Open();
  const auto receiver = files->Receive(Of(Self()), "code", 1000);
  ASSERT_TRUE(receiver.has_value());
  const std::string header =
      TarBytes::Header({.name = "/absolute", .size = TarBytes::Octal(1U << 30U)}, 0);
  ASSERT_TRUE((*receiver)->Write(SharedBytes(header), kPatience).has_value());
  Result<void> written = Ok();
  for (int i = 0; i < 100'000 && written; ++i) {
    written = (*receiver)->Write(SharedBytes(std::string(512, 'x')), kPatience);
  }
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().Reason(), "INPUT_REFUSED");
  EXPECT_THAT(written.error().message, HasSubstr("absolute"));
  EXPECT_EQ((*receiver)->code(), "absolute");
}

TEST_F(DiskRunFilesTest, AnEmptyArchiveThatIsNoneIsRefused) {
  const auto files = Open();
  const auto taken = Take(*files, "");
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().Reason(), "INPUT_REFUSED");
}

TEST_F(DiskRunFilesTest, NoByteMoreThanTheRunMayHaveIsTaken) {
  const auto files = Open();
  EXPECT_TRUE(Take(*files, TarBytes().File("f", "12345").Ended(), Self(), 5).has_value());
  fs::remove_all(run_folder_ + "/inputs");
  const auto beyond = Take(*files, TarBytes().File("f", "123456").Ended(), Self(), 5);
  ASSERT_FALSE(beyond.has_value());
  EXPECT_THAT(beyond.error().message, HasSubstr("too-many-bytes"));
  fs::remove_all(run_folder_ + "/inputs");
  EXPECT_TRUE(Take(*files, TarBytes().File("f", "").Ended(), Self(), 0).has_value());
  fs::remove_all(run_folder_ + "/inputs");
  EXPECT_FALSE(Take(*files, TarBytes().File("f", "1").Ended(), Self(), 0).has_value());
}

TEST_F(DiskRunFilesTest, AStoppedRunsUploadEndsAtOnce) {
  const auto files = Open();
  std::stop_source stop;
  const run::Patience patience{.stop = stop.get_token(), .deadline = Deadline::Never()};
  const auto receiver = files->Receive(Of(Self()), "code", 1000);
  ASSERT_TRUE(receiver.has_value());
  ASSERT_TRUE((*receiver)->Write(SharedBytes(TarBytes().File("f").bytes()), patience).has_value());
  stop.request_stop();
  const auto end = (*receiver)->Finish(patience);
  ASSERT_FALSE(end.has_value());
  EXPECT_EQ(end.error().code, ErrorCode::kCancelled);
}

TEST_F(DiskRunFilesTest, WhatAPrincipalsRunsHoldCountsUntilTheyAreForgotten) {
  const auto files = Open();
  fs::create_directories(folder_ / "runs/other");
  ASSERT_TRUE(Take(*files, TarBytes().File("f", std::string(600, 'x')).Ended()).has_value());
  const run::RunFiles::Owner other{.run_id = RunId("other"), .principal = "alice", .user = Self()};
  // An entry counts 4 KiB besides its content.
  const auto beyond = files->Receive(other, "x", 10'000 - 600 - 4096 + 1);
  ASSERT_FALSE(beyond.has_value());
  EXPECT_EQ(beyond.error().Reason(), "INPUT_QUOTA");
  EXPECT_TRUE(files->Receive(other, "x", 10'000 - 600 - 4096).has_value());
  files->Forget(RunId("run"));
  EXPECT_TRUE(files->Receive(other, "y", 600 + 4096).has_value());
}

TEST_F(DiskRunFilesTest, FoldersThatNoEntryListsCountAgainstThePrincipal) {
  const auto files = Open();
  ASSERT_TRUE(Take(*files, TarBytes().File("a/f").Ended()).has_value());
  const run::RunFiles::Owner other{.run_id = RunId("run"), .principal = "alice", .user = Self()};
  EXPECT_FALSE(files->Receive(other, "more", 10'000 - 2 * 4096 + 1).has_value());
}

TEST_F(DiskRunFilesTest, ALogIsReadWhileTheRunGoesOnAndOnceItIsKept) {
  const auto files = Open();
  auto log = files->OpenLog(RunId("run"), 1000, {});
  ASSERT_TRUE(log.has_value()) << log.error().message;
  const std::string_view text = "abc";
  (*log)->Write(run::OutputStream::kStdout, std::as_bytes(std::span(text)));
  ASSERT_TRUE((*log)->Flush(Deadline::After(std::chrono::seconds(20))));
  EXPECT_EQ(files->ReadLog(RunId("run"), 8, 2).value_or("?"), "ab");
  EXPECT_FALSE(files->OpenLog(RunId("run"), 1000, {}).has_value());  // it is there already
  fs::rename(run_folder_, folder_ / "kept/run");
  EXPECT_EQ(files->ReadLog(RunId("run"), 8, 100).value_or("?"), "abc");
  EXPECT_EQ(files->ReadLog(RunId("run"), 11, 100).value_or("?"), "");
  EXPECT_FALSE(files->ReadLog(RunId("other"), 0, 1).has_value());
}

TEST_F(DiskRunFilesTest, ADiskThatIsAlmostFullTakesNoFiles) {
  const auto files = Open(std::uint64_t{1} << 60U);
  const auto input = files->Receive(Of(Self()), "code", 10);
  ASSERT_FALSE(input.has_value());
  EXPECT_EQ(input.error().Reason(), "DISK_LOW");
  EXPECT_EQ(files->PrepareOutput(Of(Self()), "results").error().Reason(), "DISK_LOW");
  EXPECT_TRUE(Open(1)->CheckRoom(0).has_value());
  EXPECT_FALSE(Open(1)->CheckRoom(std::uint64_t{1} << 60U).has_value());
}

TEST_F(DiskRunFilesTest, AnOutputIsAnEmptyFolderOfTheRunsUser) {
  TW_REQUIRE_ROOT();
  ASSERT_TRUE(Open()->PrepareOutput(Of(kJob), "results").has_value());
  EXPECT_EQ(Owner(run_folder_ + "/outputs"), "0:0 700");
  EXPECT_EQ(Owner(run_folder_ + "/outputs/results"), "65534:65533 700");
  EXPECT_TRUE(fs::is_empty(run_folder_ + "/outputs/results"));
}

TEST_F(DiskRunFilesTest, AnOutputGoesOutWithWhatWasLeftBehind) {
  const auto files = Open();
  ASSERT_TRUE(files->PrepareOutput(Of(Self()), "results").has_value());
  const std::string output = run_folder_ + "/outputs/results";
  std::ofstream(output + "/a") << "text";
  fs::create_symlink("/etc/passwd", output + "/link");
  std::ofstream(output + "/too-big") << std::string(1001, 'x');
  const Sent sent = Send(*files);
  ASSERT_TRUE(sent.end.has_value()) << sent.end.error().message;
  extract::RecordingSink sink;
  ASSERT_TRUE(extract::ExtractBytes(sent.archive, sink).has_value());
  EXPECT_THAT(sink.files, ElementsAre(std::pair<const std::string, std::string>("a", "text")));
  EXPECT_THAT(sent.end->omissions.listed, ElementsAre(run::Omission{"link", "symbolic-link"},
                                                      run::Omission{"too-big", "too-many-bytes"}));
  EXPECT_EQ(sent.end->omissions.count, 2U);
  EXPECT_EQ(sent.end->archive.bytes, 4U);
  EXPECT_EQ(sent.end->archive.archive_bytes, sent.archive.size());
}

TEST_F(DiskRunFilesTest, OmissionsAreCountedBeyondWhatIsListed) {
  const auto files = Open();
  ASSERT_TRUE(files->PrepareOutput(Of(Self()), "results").has_value());
  for (int i = 0; i < 1100; ++i) {
    fs::create_symlink("x", run_folder_ + "/outputs/results/" + std::to_string(i));
  }
  const Sent sent = Send(*files);
  ASSERT_TRUE(sent.end.has_value());
  EXPECT_EQ(sent.end->omissions.listed.size(), 1000U);
  EXPECT_EQ(sent.end->omissions.count, 1100U);
}

TEST_F(DiskRunFilesTest, AClientThatGoesAwayEndsTheReturnOfAnOutput) {
  const auto files = Open();
  ASSERT_TRUE(files->PrepareOutput(Of(Self()), "results").has_value());
  const auto refuse = [](std::string_view) {
    return Result<void>(Fail(ErrorCode::kCancelled, "return an output: gone"));
  };
  const auto sent = files->Send(RunId("run"), "results", 1000, refuse, kPatience);
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().message, "return an output: gone");
  std::stop_source stop;
  stop.request_stop();
  const Sent stopped = Send(*files, {.stop = stop.get_token(), .deadline = Deadline::Never()});
  EXPECT_EQ(stopped.end.error().code, ErrorCode::kCancelled);
}

// The unit's way: another user than root, with CAP_CHOWN and nothing else.
TEST_F(DiskRunFilesTest, CapChownAloneIsEnough) {
  TW_REQUIRE_ROOT();
  fs::permissions(folder_ / "worker", fs::perms(0755));
  for (const std::string& path : {folder_.path(), folder_ / "runs", run_folder_}) {
    ASSERT_EQ(::chown(path.c_str(), testing::kOnlyChownUser, testing::kOnlyChownUser), 0);
  }
  EXPECT_TRUE(testing::WithOnlyChown([&] {
    const auto files = Open();
    return files && Take(*files, TarBytes().Folder("d/").File("d/f").Ended(), kJob).has_value() &&
           files->PrepareOutput(Of(kJob), "results").has_value();
  }));
  EXPECT_EQ(Owner(run_folder_ + "/inputs/code/d/f"), "65534:65533 644");
  EXPECT_EQ(Owner(run_folder_ + "/outputs/results"), "65534:65533 700");

  // As the container might leave it.
  const std::string output = run_folder_ + "/outputs/results";
  fs::create_directory(output + "/closed");
  std::ofstream(output + "/closed/f") << "kept";
  for (const char* path : {"/closed/f", "/closed", ""}) {
    ASSERT_EQ(::chown((output + path).c_str(), kJob.uid, kJob.gid), 0);
    ASSERT_EQ(::chmod((output + path).c_str(), 0), 0);
  }
  EXPECT_TRUE(testing::WithOnlyChown([&] {
    const auto files = Open();
    const Sent sent = Send(*files);
    extract::RecordingSink sink;
    return sent.end.has_value() && extract::ExtractBytes(sent.archive, sink).has_value() &&
           sink.files["closed/f"] == "kept";
  }));
}

TEST_F(DiskRunFilesTest, WithoutItFilesCanBeGivenToNobodyElse) {
  TW_REQUIRE_ROOT();
  EXPECT_TRUE(MayGiveTo(kJob));
  EXPECT_TRUE(testing::WithOnlyChown([] { return MayGiveTo(kJob); }));
  EXPECT_TRUE(testing::WithOnlyChown([] { return !MayGiveTo(kJob); }, false));
  EXPECT_TRUE(testing::WithOnlyChown(
      [] { return MayGiveTo({.uid = testing::kOnlyChownUser, .gid = testing::kOnlyChownUser}); },
      false));
}

// What a worker that was taken over could leave.
class GiveTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TW_REQUIRE_ROOT();
    parent_ = UniqueFd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    fs::create_directories(folder_ / "tree/a");
  }
  bool Gives() {
    extract::Limits limits;
    limits.max_depth = 3;
    limits.max_entries = 5;
    return GiveTree(parent_.get(), "tree", kJob, limits, Deadline::Never()).has_value();
  }
  testing::ScratchFolder folder_;
  UniqueFd parent_;
};

TEST_F(GiveTreeTest, WhatAnArchiveMayHaveIsGiven) {
  fs::create_directories(folder_ / "tree/a/b/c");
  std::ofstream(folder_ / "tree/a/f") << "x";
  EXPECT_TRUE(Gives());
}

TEST_F(GiveTreeTest, WhatIsDeeperIsNotWalked) {
  fs::create_directories(folder_ / "tree/a/b/c/d");
  EXPECT_FALSE(Gives());
}

TEST_F(GiveTreeTest, MoreThanAnArchiveMayHaveIsNotGiven) {
  for (int i = 0; i < 5; ++i) std::ofstream(folder_ / ("tree/" + std::to_string(i))) << "x";
  EXPECT_FALSE(Gives());
}

TEST_F(GiveTreeTest, LinksAndSecondNamesAreNotGiven) {
  fs::create_symlink("/etc/passwd", folder_ / "tree/link");
  EXPECT_FALSE(Gives());
  fs::remove(folder_ / "tree/link");
  std::ofstream(folder_ / "outside") << "x";
  fs::create_hard_link(folder_ / "outside", folder_ / "tree/second");
  EXPECT_FALSE(Gives());
  struct stat status {};
  ASSERT_EQ(::stat((folder_ / "outside").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
}

}  // namespace
}  // namespace tidewaiter::files
