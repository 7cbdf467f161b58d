// tidewaiter-carrier as a program: what goes through it is what was there. Without a pod: where it
// must be process 1, that of a PID namespace of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/extraction.h"
#include "tests/support/program.h"
#include "tests/support/required.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Tree = std::map<std::string, std::string>;

constexpr char kMuch[] = "1000000000";
constexpr std::chrono::seconds kSoon(20);

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Carrier : public ::testing::Test {
 protected:
  Carrier() {
    std::signal(SIGPIPE, SIG_IGN);
    fs::create_directory(from_);
    fs::create_directory(parts_);
  }

  static Program::Ended Run(const std::vector<std::string>& arguments) {
    return Program("tidewaiter-carrier", arguments).Wait();
  }
  // What is said of that archive.
  static std::string Sent(const std::string& archive) {
    return "sent " + std::to_string(archive.size()) + "\n";
  }
  // Into `from_`.
  void File(const std::string& name, const std::string& content, mode_t mode = 0644) const {
    std::ofstream(from_ + "/" + name, std::ios::binary) << content;
    ASSERT_EQ(::chmod((from_ + "/" + name).c_str(), mode), 0);
  }
  // As the kubelet mounts them: links through "..data".
  void SplitInParts(const std::string& archive, std::size_t bytes) const {
    fs::create_directories(parts_ + "/..2026");
    fs::create_directory_symlink("..2026", parts_ + "/..data");
    for (std::size_t i = 0; i * bytes < archive.size(); ++i) {
      const std::string name = "part-" + std::to_string(10'000 + i);
      std::ofstream(parts_ + "/..2026/" + name, std::ios::binary)
          << archive.substr(i * bytes, bytes);
      fs::create_symlink("..data/" + name, parts_ + "/" + name);
    }
  }
  void RefusesToUnpack(const std::string& cause) const {
    const auto end = Run({"prepare", "input", parts_, to_});
    EXPECT_EQ(end.status, 1);
    EXPECT_EQ(end.out, "");
    EXPECT_THAT(end.err, HasSubstr("tidewaiter-carrier: "));
    EXPECT_THAT(end.err, HasSubstr(cause));
  }

  ScratchFolder folder_;
  const std::string from_ = folder_ / "from";
  const std::string parts_ = folder_ / "parts";
  const std::string to_ = folder_ / "to";
};

TEST_F(Carrier, ATreeThatIsPackedSplitAndUnpackedIsTheSame) {
  fs::create_directories(from_ + "/empty/in-it");
  fs::create_directory(from_ + "/" + std::string(200, 'd'));
  File(std::string(200, 'd') + "/" + std::string(200, 'f'), "long");
  File("gr\u00fc\u00dfe \u6f22\u5b57", "text");
  File("program", "#!", 0755);
  File("secret", "word", 0600);
  File("none", "");
  std::string big;
  for (int i = 0; big.size() < std::size_t{3} << 20U; ++i) big += std::to_string(i) + '\n';
  File("big", big, 0444);
  fs::create_directory(from_ + "/fixed");
  File("fixed/f", "x");
  ASSERT_EQ(::chmod((from_ + "/fixed").c_str(), 0500), 0);

  const auto packed = Run({"pack", from_, kMuch});
  ASSERT_EQ(packed.status, 0) << packed.err;
  EXPECT_EQ(packed.err, Sent(packed.out) + "packed 11 " +
                            std::to_string(big.size() + 4 + 4 + 2 + 4 + 0 + 1) + " 0\n");
  SplitInParts(packed.out, 100'000);
  const auto unpacked = Run({"prepare", "input", parts_, to_});
  ASSERT_EQ(unpacked.status, 0) << unpacked.err;
  EXPECT_EQ(unpacked.out + unpacked.err, "");
  EXPECT_TRUE(TreeOf(to_) == TreeOf(from_));
  EXPECT_EQ(TreeOf(to_).size(), 11U);
  // The same again from there: nothing of the disk is in it.
  EXPECT_TRUE(Run({"pack", to_, kMuch}).out == packed.out);
}

TEST_F(Carrier, SeveralInputsAreUnpackedOneAfterAnother) {
  SplitInParts(TarBytes().File("a", "1").Ended(), 512);
  fs::create_directory(folder_ / "others");
  std::ofstream(folder_ / "others/0") << TarBytes().File("b", "2").Ended();
  const auto end =
      Run({"prepare", "input", parts_, to_, "input", folder_ / "others", folder_ / "second"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(TreeOf(to_), (Tree{{"a", "100644 1"}}));
  EXPECT_EQ(TreeOf(folder_ / "second"), (Tree{{"b", "100644 2"}}));
}

// Of both kinds together, and what was made before stays.
TEST_F(Carrier, AnOutputsFolderIsItsUsersOwn) {
  SplitInParts(TarBytes().File("a", "1").Ended(), 512);
  const std::string output = folder_ / "output";
  const auto end = Run({"prepare", "input", parts_, to_, "output", output});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.out + end.err, "");
  EXPECT_EQ(fs::status(output).permissions(), fs::perms::owner_all);
  EXPECT_EQ(TreeOf(to_), (Tree{{"a", "100644 1"}}));
  const auto again = Run({"prepare", "output", output});
  EXPECT_EQ(again.status, 1);
  EXPECT_EQ(again.err, "tidewaiter-carrier: make the output folder " + output + ": File exists\n");
}

TEST_F(Carrier, TheUmaskDoesNotCount) {
  SplitInParts(TarBytes().Folder("d/").File("d/f").Ended(), 512);
  const mode_t before = ::umask(077);
  const auto end = Run({"prepare", "input", parts_, to_});
  ::umask(before);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(TreeOf(to_), (Tree{{"d", "40755"}, {"d/f", "100644 x"}}));
  EXPECT_EQ(fs::status(to_).permissions(), fs::perms(0755));
}

TEST_F(Carrier, WhatCannotGoIsToldAndLeftOut) {
  File("fits", "12345");
  File("too-big", "123456");
  fs::create_symlink("/etc/passwd", from_ + "/link");
  ASSERT_EQ(::mkfifo((from_ + "/pipe").c_str(), 0666), 0);
  const auto packed = Run({"pack", from_, "5"});
  EXPECT_EQ(packed.status, 0);
  EXPECT_EQ(packed.err,
            "omitted symbolic-link link\nomitted fifo pipe\nomitted too-many-bytes too-big\n" +
                Sent(packed.out) + "packed 1 5 3\n");
  SplitInParts(packed.out, 1'000'000);
  ASSERT_EQ(Run({"prepare", "input", parts_, to_}).status, 0);
  EXPECT_EQ(TreeOf(to_), (Tree{{"fits", "100644 12345"}}));
}

TEST_F(Carrier, OmissionsAreCountedBeyondWhatIsListed) {
  for (int i = 0; i < 1100; ++i) fs::create_symlink("x", from_ + "/" + std::to_string(i));
  const auto packed = Run({"pack", from_, kMuch});
  EXPECT_EQ(packed.status, 0);
  EXPECT_EQ(std::count(packed.err.begin(), packed.err.end(), '\n'), 1002);
  EXPECT_TRUE(packed.err.ends_with("packed 0 0 1100\n"));
}

// The job may close to itself what it leaves, and the carrier runs as the same user.
TEST_F(Carrier, FilesAndFoldersThatTheirOwnerHasClosedArePacked) {
  TW_REQUIRE_ROOT();
  constexpr uid_t kUser = 65534;
  const std::string program = folder_ / "carrier";
  fs::copy_file(fs::read_symlink("/proc/self/exe").replace_filename("tidewaiter-carrier"), program);
  ASSERT_EQ(::chmod(program.c_str(), 0755), 0);
  fs::create_directory(from_ + "/closed");
  File("closed/f", "kept", 0);
  File("f", "kept, too", 0);
  for (const char* const path : {"/closed/f", "/f", "/closed", ""}) {
    ASSERT_EQ(::chown((from_ + path).c_str(), kUser, kUser), 0);
  }
  ASSERT_EQ(::chmod((from_ + "/closed").c_str(), 0), 0);
  // Somebody else's, which no right of the carrier opens.
  File("others", "secret", 0600);
  const auto packed = Program("/usr/bin/setpriv", {"--reuid=65534", "--regid=65534",
                                                   "--clear-groups", program, "pack", from_, kMuch})
                          .Wait();
  EXPECT_EQ(packed.status, 0);
  EXPECT_EQ(packed.err, "omitted unreadable others\n" + Sent(packed.out) + "packed 3 13 1\n");
  EXPECT_THAT(packed.out, HasSubstr("kept, too"));
}

TEST_F(Carrier, AnArchiveThatNobodyTakesIsNotPacked) {
  File("f", std::string(std::size_t{3} << 20U, 'x'));
  Program program("tidewaiter-carrier", {"pack", from_, kMuch});
  program.CloseStdout();
  const auto end = program.Wait();
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr("write-failed: Broken pipe"));
}

TEST_F(Carrier, AFolderThatIsMissingIsNotPacked) {
  const auto end = Run({"pack", folder_ / "absent", kMuch});
  EXPECT_EQ(end.status, 1);
  EXPECT_EQ(end.out, "");
  EXPECT_EQ(end.err,
            "tidewaiter-carrier: pack " + (folder_ / "absent") + ": No such file or directory\n");
  fs::create_directory_symlink("/etc", folder_ / "link");
  EXPECT_EQ(Run({"pack", folder_ / "link", kMuch}).status, 1);
}

TEST_F(Carrier, PartsThatAreNotWholeAreNotUnpacked) {
  const std::string archive = TarBytes().File("f", std::string(2000, 'x')).Ended();
  SplitInParts(archive.substr(0, 1500), 1000);
  RefusesToUnpack("truncated: the archive ends amid a file: 'f'");
}

TEST_F(Carrier, NoPartsAtAllAreNoArchive) {
  RefusesToUnpack("truncated");
}

TEST_F(Carrier, PartsThatAreMissingAreSaidToBe) {
  fs::remove(parts_);
  RefusesToUnpack("list " + parts_ + ": No such file or directory");
  EXPECT_FALSE(fs::exists(to_));
}

TEST_F(Carrier, APartThatCannotBeReadIsSaidToBe) {
  SplitInParts(TarBytes().File("f").Ended(), 512);
  fs::remove(parts_ + "/..2026/part-10001");
  RefusesToUnpack("read " + parts_);
}

TEST_F(Carrier, NothingIsUnpackedIntoWhatIsThere) {
  SplitInParts(TarBytes().File("f").Ended(), 512);
  fs::create_directory(to_);
  RefusesToUnpack("make it: File exists");
  EXPECT_TRUE(fs::is_empty(to_));
  fs::remove(to_);
  fs::create_directory_symlink("/", to_);
  RefusesToUnpack("make it: File exists");
}

// Its reader ends before the parts do.
TEST_F(Carrier, AHostileArchiveIsRefusedByItsCode) {
  SplitInParts(TarBytes().File("../x").File("big", std::string(1'000'000, 'x')).Ended(), 100'000);
  RefusesToUnpack("dot-dot: a path that climbs by '..': '../x'");
  EXPECT_FALSE(fs::exists(folder_ / "x"));
  EXPECT_TRUE(fs::is_empty(to_));
}

TEST_F(Carrier, UsageIsStatusTwo) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"help"},
                                             {"prepare"},
                                             {"prepare", "input", parts_},
                                             {"prepare", "input", "", to_},
                                             {"prepare", "input", parts_, to_, "input", parts_},
                                             {"prepare", "output"},
                                             {"prepare", "output", to_, parts_},
                                             {"pack", from_},
                                             {"pack", from_, kMuch, "first"},
                                             {"pack", from_, kMuch, "last", "more"},
                                             {"pack", from_, ""},
                                             {"pack", from_, "-1"},
                                             {"pack", from_, "5k"},
                                             {"pack", from_, "18446744073709551616"},
                                             {"hold", "on"}}) {
    const auto end = Run(words);
    EXPECT_EQ(end.status, 2) << ::testing::PrintToString(words);
    EXPECT_EQ(end.out, "");
    EXPECT_TRUE(end.err.starts_with("tidewaiter-carrier: ")) << end.err;
  }
  EXPECT_FALSE(fs::exists(to_));
}

// `hold` as process 1 of its own processes, beside which the shell runs the rest.
class Hold : public Carrier {
 protected:
  void SetUp() override {
    TW_REQUIRE_ROOT();
    if (Program(kUnshare, InANamespace("exit 7")).Wait().status == 7) return;
    TW_REFUSED_TO_ROOT("no PID namespace can be made here");
  }

  static std::vector<std::string> InANamespace(const std::string& script) {
    return {"--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", "-c", script};
  }
  // Runs `script` in `folder_`, with `carrier` for the program, once `hold` listens: it ignores
  // SIGCHLD (proc_pid_status(5): the fifth digit), and sleeps.
  std::vector<std::string> Beside(const std::string& script) const {
    const std::string program =
        fs::read_symlink("/proc/self/exe").replace_filename("tidewaiter-carrier");
    return InANamespace("cd " + folder_.path() + "\ncarrier() { " + program + " \"$@\"; }\n" +
                        R"(( until grep -q '^SigIgn:.*[13579bdf]....$' /proc/1/status &&
  grep -q '^State:.S' /proc/1/status; do sleep 0.01; done
)" + script + "\n) >/dev/null &\nexec " +
                        program + " hold");
  }
  [[nodiscard]] bool Appears(const std::string& name) const {
    return Eventually(kSoon, [&] { return fs::exists(folder_ / name); });
  }

  static constexpr char kUnshare[] = "/usr/bin/unshare";
};

TEST_F(Hold, EndsBySigterm) {
  const auto end = Program(kUnshare, Beside("kill -TERM 1")).Wait(kSoon);
  EXPECT_EQ(end.status, 0);
  EXPECT_EQ(end.out + end.err, "");
}

TEST_F(Hold, GoesOnWhilePackingIsNotTheLast) {
  File("f", "text");
  Program program(kUnshare, Beside("carrier pack from 100 >a.tar 2>err; echo $? >status.new; "
                                   "mv status.new status"));
  ASSERT_TRUE(Appears("status"));
  EXPECT_EQ(Read(folder_ / "status"), "0\n");
  EXPECT_EQ(Read(folder_ / "err"), Sent(Read(folder_ / "a.tar")) + "packed 1 4 0\n");
  // It had to be killed.
  EXPECT_EQ(program.Wait(std::chrono::seconds(2)).status, -1);
}

TEST_F(Hold, EndsAfterTheLastPackingWhichIsWhole) {
  File("f", std::string(std::size_t{3} << 20U, 'x'));
  const auto end = Program(kUnshare, Beside("echo | carrier pack from 10000000 last >a.tar 2>err\n"
                                            "echo $? >status"))
                       .Wait(kSoon);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(Read(folder_ / "status"), "0\n");
  EXPECT_EQ(Read(folder_ / "err"), Sent(Read(folder_ / "a.tar")) + "packed 1 3145728 0\n");
  SplitInParts(Read(folder_ / "a.tar"), 1'000'000);
  ASSERT_EQ(Run({"prepare", "input", parts_, to_}).status, 0);
  EXPECT_TRUE(TreeOf(to_) == TreeOf(from_));
}

// Process 1 takes all others with it.
TEST_F(Hold, WaitsForWhatIsBeingPackedThen) {
  File("f", std::string(std::size_t{3} << 20U, 'x'));
  const auto end =
      Program(kUnshare,
              Beside("{ carrier pack from 10000000 2>err; echo $? >status; } | "
                     "{ until [ -e released ]; do sleep 0.01; done; sleep 1; cat >a.tar; } &\n"
                     "mkdir empty; echo | carrier pack empty 0 last 2>/dev/null; : >released"))
          .Wait(kSoon);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(Read(folder_ / "status"), "0\n");
  // Not as texts, which a failure would print.
  EXPECT_TRUE(Read(folder_ / "a.tar") == Run({"pack", from_, kMuch}).out);
}

TEST_F(Hold, WaitsAtSigtermToo) {
  const auto end =
      Program(kUnshare, Beside("kill -TERM 1; sleep 1; echo done >status")).Wait(kSoon);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(Read(folder_ / "status"), "done\n");
  // And for a moment more, in which whoever asked gets its answer.
  EXPECT_GE(fs::file_time_type::clock::now() - fs::last_write_time(folder_ / "status"),
            std::chrono::milliseconds(290));
}

// Who was to have it has gone, and may come back for it.
TEST_F(Hold, APackingThatNobodySaysHasArrivedIsNotTheLast) {
  File("f", "text");
  Program program(kUnshare,
                  Beside("carrier pack from 100 last >a.tar 2>err </dev/null; echo $? >status.new; "
                         "mv status.new status"));
  ASSERT_TRUE(Appears("status"));
  EXPECT_EQ(Read(folder_ / "status"), "0\n");
  EXPECT_EQ(Read(folder_ / "err"), Sent(Read(folder_ / "a.tar")) + "packed 1 4 0\n");
  EXPECT_EQ(program.Wait(std::chrono::seconds(2)).status, -1);
}

TEST_F(Hold, APackingThatFailsIsNotTheLast) {
  Program program(kUnshare,
                  Beside("echo | carrier pack absent 100 last 2>err; echo $? >status.new; "
                         "mv status.new status"));
  ASSERT_TRUE(Appears("status"));
  EXPECT_EQ(Read(folder_ / "status"), "1\n");
  EXPECT_EQ(program.Wait(std::chrono::seconds(2)).status, -1);
}

// Where process 1 is another program, SIGUSR1 would end it or worse.
TEST_F(Hold, TheLastPackingLeavesAnotherProcessOneAlone) {
  const std::string program =
      fs::read_symlink("/proc/self/exe").replace_filename("tidewaiter-carrier");
  const auto end = Program(kUnshare, InANamespace("trap 'exit 9' USR1; echo | " + program +
                                                  " pack " + from_ + " 0 last >/dev/null; exit 3"))
                       .Wait(kSoon);
  EXPECT_EQ(end.status, 3) << end.err;
}

}  // namespace
}  // namespace tidewaiter::testing
