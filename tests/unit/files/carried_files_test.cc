// Inputs and outputs that a backend carries, with the real worker on a real disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "broker/files/disk_run_files.h"
#include "broker/files/sha256.h"
#include "extract/worker_process.h"
#include "tests/support/extraction.h"
#include "tests/support/required.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tar_bytes.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::files {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TarBytes;
using testing::TreeOf;
using Tree = std::map<std::string, std::string>;

const run::Patience kPatience{.stop = {}, .deadline = Deadline::After(std::chrono::minutes(1))};

class CarriedFilesTest : public ::testing::Test {
 protected:
  CarriedFilesTest() {
    std::signal(SIGPIPE, SIG_IGN);
    fs::create_directories(folder_ / "kept");
    fs::create_directories(run_folder_);
    files_ = Open();
  }

  std::unique_ptr<DiskRunFiles> Open(std::uint64_t min_free = 0) {
    auto files = DiskRunFiles::Open({.state_dir = folder_.path(),
                                     .worker = extract::WorkerBesideThisProgram(),
                                     .min_free_bytes = min_free,
                                     .limits = {}});
    EXPECT_TRUE(files.has_value());
    return files ? *std::move(files) : nullptr;
  }
  // In small pieces, to its end.
  static Result<run::ArchiveSummary> Pass(Result<std::unique_ptr<run::ArchiveReceiver>> receiver,
                                          const std::string& archive, std::string* code = nullptr) {
    if (!receiver) return receiver.error();
    const auto pass = [&]() -> Result<run::ArchiveSummary> {
      for (std::size_t at = 0; at < archive.size(); at += 700) {
        TW_TRY((*receiver)->Write(SharedBytes(archive.substr(at, 700)), kPatience));
      }
      return (*receiver)->Finish(kPatience);
    };
    auto end = pass();
    if (code != nullptr) *code = (*receiver)->code();
    return end;
  }
  // Of nobody: the broker keeps it to carry it.
  Result<run::ArchiveSummary> TakeInput(const std::string& archive) {
    return Pass(files_->Receive({.run_id = run_, .principal = "alice", .user = std::nullopt},
                                "code", 1'000'000),
                archive);
  }
  Result<run::ArchiveSummary> TakeOutput(const std::string& archive,
                                         std::uint64_t max_bytes = 1'000'000,
                                         std::string* code = nullptr) {
    return Pass(files_->ReceiveOutput(run_, "results", max_bytes), archive, code);
  }

  struct Sent {
    Result<void> end = Ok();
    std::string archive;
  };
  Sent SendInput(const std::string& name = "code", const run::Patience& patience = kPatience) {
    Sent sent;
    sent.end = files_->SendInput(run_, name, Into(sent.archive), patience);
    return sent;
  }
  static run::ArchiveWriter Into(std::string& archive) {
    return [&archive](std::string_view piece) {
      archive += piece;
      return Ok();
    };
  }

  const RunId run_{"run"};
  testing::ScratchFolder folder_;
  const std::string run_folder_ = folder_ / "runs/run";
  const std::string output_ = run_folder_ + "/outputs/results";
  std::unique_ptr<DiskRunFiles> files_;
};

TEST_F(CarriedFilesTest, AnInputOfNobodyStaysTheBrokersOwn) {
  const auto taken =
      TakeInput(TarBytes().Folder("d/").Add({.name = "d/f", .mode = "0000600"}, "text").Ended());
  ASSERT_TRUE(taken.has_value()) << taken.error().message;
  for (const char* const path : {"", "/d", "/d/f"}) {
    struct stat status {};
    ASSERT_EQ(::lstat((run_folder_ + "/inputs/code" + path).c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, ::geteuid()) << path;
    EXPECT_EQ(status.st_gid, ::getegid()) << path;
  }
}

TEST_F(CarriedFilesTest, AnInputComesBackAsTheSameTree) {
  const std::string long_name = std::string(150, 'n') + "/" + std::string(200, 'm');
  const std::string content(100'000, 'x');
  const auto taken = TakeInput(TarBytes()
                                   .Add({.name = "program", .mode = "0000755"}, "#!")
                                   .Folder("empty/")
                                   .Add({.name = "closed/", .type = '5', .mode = "0000500"})
                                   .Add({.name = "closed/f", .mode = "0000400"}, content)
                                   .File("gr\u00fc\u00dfe/f", "")
                                   .Pax({{"path", long_name}})
                                   .File("x", "long")
                                   .Ended());
  ASSERT_TRUE(taken.has_value()) << taken.error().message;
  const Sent sent = SendInput();
  ASSERT_TRUE(sent.end.has_value()) << sent.end.error().message;
  extract::RecordingSink sink;
  ASSERT_TRUE(extract::ExtractBytes(sent.archive, sink).has_value());
  EXPECT_EQ(sink.files, (Tree{{"program", "#!"},
                              {"closed/f", content},
                              {"gr\u00fc\u00dfe/f", ""},
                              {long_name, "long"}}));
  EXPECT_EQ(sink.folders, (std::map<std::string, std::uint32_t>{{"empty", 0755},
                                                                {"closed", 0500},
                                                                {"gr\u00fc\u00dfe", 0755},
                                                                {std::string(150, 'n'), 0755}}));
  EXPECT_EQ(sink.modes.at("program"), 0755U);
  EXPECT_EQ(sink.modes.at("closed/f"), 0400U);
}

// However it came: what a pod gets is known beforehand, and after a restart of the broker, too.
TEST_F(CarriedFilesTest, AnInputIsTheSameBytesEachTime) {
  ASSERT_TRUE(
      TakeInput(testing::Compressed(TarBytes().File("b", "2").File("a", "1").Ended(), "gzip"))
          .has_value());
  const std::string first = SendInput().archive;
  EXPECT_EQ(first.size(), 2 * 1024U + 1024U);
  EXPECT_EQ(SendInput().archive, first);
  fs::last_write_time(run_folder_ + "/inputs/code/a", fs::file_time_type::min());
  files_ = Open();
  EXPECT_EQ(SendInput().archive, first);
}

TEST_F(CarriedFilesTest, AnInputThatIsMissingFails) {
  const Sent never = SendInput();
  ASSERT_FALSE(never.end.has_value());
  EXPECT_EQ(never.end.error().Reason(), "INPUT_FAILED");
  EXPECT_THAT(never.end.error().message, HasSubstr("read input 'code'"));
  ASSERT_TRUE(TakeInput(TarBytes().File("f").Ended()).has_value());
  EXPECT_EQ(SendInput("other").end.error().Reason(), "INPUT_FAILED");
  fs::remove_all(run_folder_ + "/inputs/code");
  EXPECT_EQ(SendInput().end.error().Reason(), "INPUT_FAILED");
}

// None is left out unseen: the archive would look whole.
TEST_F(CarriedFilesTest, AnInputThatIsNoLongerWhatCameFails) {
  ASSERT_TRUE(TakeInput(TarBytes().File("f").Ended()).has_value());
  fs::create_symlink("/etc/passwd", run_folder_ + "/inputs/code/link");
  const Sent sent = SendInput();
  ASSERT_FALSE(sent.end.has_value());
  EXPECT_EQ(sent.end.error().Reason(), "INPUT_FAILED");
  EXPECT_THAT(sent.end.error().message, HasSubstr("symbolic-link"));
}

TEST_F(CarriedFilesTest, WhoTakesAnInputMayRefuseAndMayStop) {
  ASSERT_TRUE(TakeInput(TarBytes().File("f").Ended()).has_value());
  const auto refuse = [](std::string_view) {
    return Result<void>(Fail(ErrorCode::kUnavailable, "make a secret: away"));
  };
  const auto sent = files_->SendInput(run_, "code", refuse, kPatience);
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().message, "make a secret: away");
  std::stop_source stop;
  stop.request_stop();
  const Sent stopped = SendInput("code", {.stop = stop.get_token(), .deadline = Deadline::Never()});
  ASSERT_FALSE(stopped.end.has_value());
  EXPECT_EQ(stopped.end.error().code, ErrorCode::kCancelled);
}

TEST_F(CarriedFilesTest, AnOutputThatWasCarriedGoesOutAsAnyOther) {
  const std::string archive = TarBytes().Folder("d/").File("d/f", "text").File("top", "").Ended();
  const auto taken = TakeOutput(archive);
  ASSERT_TRUE(taken.has_value()) << taken.error().message;
  EXPECT_EQ(taken->entries, 3U);
  EXPECT_EQ(taken->bytes, 4U);
  EXPECT_EQ(taken->archive_bytes, archive.size());
  Sha256 hash;
  hash.Add(archive);
  EXPECT_EQ(taken->sha256, hash.Finish());
  EXPECT_EQ(TreeOf(output_), (Tree{{"d", "40755"}, {"d/f", "100644 text"}, {"top", "100644 "}}));
  std::string sent;
  const auto summary = files_->Send(run_, "results", 1000, Into(sent), kPatience);
  ASSERT_TRUE(summary.has_value()) << summary.error().message;
  EXPECT_EQ(summary->archive.entries, 3U);
  EXPECT_EQ(summary->omissions.count, 0U);
  extract::RecordingSink sink;
  ASSERT_TRUE(extract::ExtractBytes(sent, sink).has_value());
  EXPECT_EQ(sink.files, (Tree{{"d/f", "text"}, {"top", ""}}));
}

TEST_F(CarriedFilesTest, WhatAFormerBrokerLeftHalfIsReplaced) {
  {
    const auto half = files_->ReceiveOutput(run_, "results", 1000);
    ASSERT_TRUE(half.has_value()) << half.error().message;
    ASSERT_TRUE((*half)
                    ->Write(SharedBytes(TarBytes().File("old").File("f", "old").bytes()), kPatience)
                    .has_value());
  }
  // As a kill at another moment would leave it.
  fs::create_directories(output_ + "/old-folder/in-it");
  std::ofstream(output_ + "/old-folder/f") << "old";
  files_ = Open();
  const auto taken = TakeOutput(TarBytes().File("f", "new").Ended());
  ASSERT_TRUE(taken.has_value()) << taken.error().message;
  EXPECT_EQ(TreeOf(output_), (Tree{{"f", "100644 new"}}));
}

TEST_F(CarriedFilesTest, AnOutputIsReplacedAndItsNeighbourIsNot) {
  ASSERT_TRUE(TakeOutput(TarBytes().File("a").Ended()).has_value());
  ASSERT_TRUE(Pass(files_->ReceiveOutput(run_, "logs", 1000), TarBytes().File("b", "b").Ended())
                  .has_value());
  ASSERT_TRUE(TakeOutput(TarBytes().File("c", "c").Ended()).has_value());
  EXPECT_EQ(TreeOf(run_folder_ + "/outputs"), (Tree{{"results", "40755"},
                                                    {"results/c", "100644 c"},
                                                    {"logs", "40755"},
                                                    {"logs/b", "100644 b"}}));
}

TEST_F(CarriedFilesTest, AHostileOutputIsRefusedByItsCode) {
  for (const auto& [archive, code] : std::map<std::string, std::string>{
           {TarBytes().Add({.name = "link", .type = '2', .link = "/"}).Ended(), "symbolic-link"},
           {TarBytes().File("../../../kept/x").Ended(), "dot-dot"},
           {TarBytes().File("a").Add({.name = "d", .type = '3'}).Ended(), "device"},
           {TarBytes().File("a").bytes(), "truncated"},
           {"no archive at all", "not-a-tar"}}) {
    std::string told;
    const auto taken = TakeOutput(archive, 1000, &told);
    ASSERT_FALSE(taken.has_value()) << code;
    EXPECT_EQ(taken.error().Reason(), "OUTPUT_REFUSED");
    EXPECT_THAT(taken.error().message, HasSubstr("unpack output 'results': refused: " + code));
    EXPECT_EQ(told, code);
  }
  EXPECT_TRUE(fs::is_empty(folder_ / "kept"));
}

TEST_F(CarriedFilesTest, AnOutputHasNoByteMoreThanItMay) {
  EXPECT_TRUE(TakeOutput(TarBytes().File("f", "12345").Ended(), 5).has_value());
  const auto beyond = TakeOutput(TarBytes().File("f", "123456").Ended(), 5);
  ASSERT_FALSE(beyond.has_value());
  EXPECT_EQ(beyond.error().Reason(), "OUTPUT_REFUSED");
  EXPECT_THAT(beyond.error().message, HasSubstr("too-many-bytes"));
  EXPECT_TRUE(TakeOutput(TarBytes().File("f", "").Ended(), 0).has_value());
}

TEST_F(CarriedFilesTest, AStopEndsAnOutputOnItsWay) {
  std::stop_source stop;
  const run::Patience patience{.stop = stop.get_token(), .deadline = Deadline::Never()};
  const auto receiver = files_->ReceiveOutput(run_, "results", 1000);
  ASSERT_TRUE(receiver.has_value());
  ASSERT_TRUE((*receiver)->Write(SharedBytes(TarBytes().File("f").bytes()), patience).has_value());
  stop.request_stop();
  const auto end = (*receiver)->Finish(patience);
  ASSERT_FALSE(end.has_value());
  EXPECT_EQ(end.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(end.error().message, HasSubstr("output 'results'"));
}

TEST_F(CarriedFilesTest, AnOutputThatTakesTooLongIsStalled) {
  const auto receiver = files_->ReceiveOutput(run_, "results", 1000);
  ASSERT_TRUE(receiver.has_value());
  const auto end = (*receiver)->Finish({.stop = {}, .deadline = Deadline::After({})});
  ASSERT_FALSE(end.has_value());
  EXPECT_EQ(end.error().Reason(), "OUTPUT_STALLED");
}

// The job has made of it what it likes; where it is put down nobody else has been.
TEST_F(CarriedFilesTest, AnOutputIsMadeByTheBrokerAlone) {
  TW_REQUIRE_ROOT();
  ASSERT_TRUE(
      TakeOutput(TarBytes().Add({.name = "f", .mode = "0004777", .uid = "0001750"}, "x").Ended())
          .has_value());
  struct stat status {};
  ASSERT_EQ(::lstat((output_ + "/f").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
  EXPECT_EQ(status.st_mode & 07777U, 0755U);
  ASSERT_EQ(::lstat((run_folder_ + "/outputs").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0700U);
}

TEST_F(CarriedFilesTest, ADiskThatIsAlmostFullTakesNoOutput) {
  files_ = Open(std::uint64_t{1} << 60U);
  const auto refused = files_->ReceiveOutput(run_, "results", 1000);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().Reason(), "DISK_LOW");
}

}  // namespace
}  // namespace tidewaiter::files
