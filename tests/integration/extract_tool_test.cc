// `tidewaiter extract` as a program: what it exits with, says and leaves.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/support/extraction.h"
#include "tests/support/program.h"
#include "tests/support/required.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {
namespace fs = std::filesystem;

class ExtractTool : public ::testing::Test {
 protected:
  ExtractTool() { ::signal(SIGPIPE, SIG_IGN); }

  std::string Save(const std::string& bytes) const {
    std::ofstream(folder_ / "archive", std::ios::binary) << bytes;
    return folder_ / "archive";
  }
  [[nodiscard]] std::string dest() const { return folder_ / "dest"; }
  Program::Ended Run(const std::vector<std::string>& arguments) const {
    std::vector<std::string> words{"extract"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return Program("tidewaiter", words).Wait();
  }

  ScratchFolder folder_;
};

const std::string& Sound() {
  static const std::string archive =
      TarBytes().Folder("a/").File("a/b", "one").File("c", "two").Ended();
  return archive;
}

TEST_F(ExtractTool, ExtractsAndSaysNothing) {
  const auto end = Run({Save(Sound()), dest()});
  EXPECT_EQ(end.status, 0);
  EXPECT_EQ(end.out + end.err, "");
  EXPECT_EQ(TreeOf(dest()), (std::map<std::string, std::string>{
                                {"a", "40755"}, {"a/b", "100644 one"}, {"c", "100644 two"}}));
}

TEST_F(ExtractTool, ExtractsToAnEmptyFolder) {
  fs::create_directory(dest());
  EXPECT_EQ(Run({Save(Sound()), dest()}).status, 0);
  EXPECT_EQ(TreeOf(dest()).size(), 3U);
}

TEST_F(ExtractTool, ReadsStdin) {
  Program program("tidewaiter", {"extract", "-", dest()});
  program.Feed(Sound());
  EXPECT_EQ(program.Wait().status, 0);
  EXPECT_EQ(TreeOf(dest()).size(), 3U);
}

TEST_F(ExtractTool, EveryCompressionIsRecognised) {
  for (const char* const filter : {"gzip", "zstd", "xz", "bzip2"}) {
    const std::string to = folder_ / filter;
    EXPECT_EQ(Run({Save(Compressed(Sound(), filter)), to}).status, 0) << filter;
    EXPECT_EQ(TreeOf(to).size(), 3U) << filter;
  }
}

TEST_F(ExtractTool, SaysWhatItExtractedAsJson) {
  const auto end = Run({"--json", Save(Sound()), dest()});
  EXPECT_EQ(end.status, 0);
  EXPECT_EQ(nlohmann::json::parse(end.out),
            nlohmann::json({{"extracted", true}, {"entries", 3}, {"bytes", 6}}));
}

TEST_F(ExtractTool, ARefusalIsOneSentenceAndStatusOne) {
  const auto end = Run({Save(TarBytes().File("../x").Ended()), dest()});
  EXPECT_EQ(end.status, 1);
  EXPECT_EQ(end.err, "tidewaiter: refused: dot-dot: a path that climbs by '..': '../x'\n");
  EXPECT_FALSE(fs::exists(dest()));
}

TEST_F(ExtractTool, ARefusalIsOneObjectWithJson) {
  const auto end = Run({"--json", Save(TarBytes().File("../x").Ended()), dest()});
  EXPECT_EQ(end.status, 1);
  EXPECT_EQ(nlohmann::json::parse(end.out),
            nlohmann::json({{"extracted", false},
                            {"code", "dot-dot"},
                            {"message", "a path that climbs by '..'"},
                            {"entry", "../x"}}));
}

TEST_F(ExtractTool, ADestinationThatIsNotEmptyIsStatusTwo) {
  fs::create_directory(dest());
  std::ofstream(dest() + "/mine") << "mine";
  const auto end = Run({Save(Sound()), dest()});
  EXPECT_EQ(end.status, 2);
  EXPECT_NE(end.err.find("not empty"), std::string::npos) << end.err;
  EXPECT_EQ(TreeOf(dest()).size(), 1U);
}

TEST_F(ExtractTool, UsageIsStatusTwo) {
  const std::string archive = Save(Sound());
  EXPECT_EQ(Run({}).status, 2);
  EXPECT_EQ(Run({archive}).status, 2);
  EXPECT_EQ(Run({archive, dest(), "more"}).status, 2);
  EXPECT_EQ(Run({"--max-depth", "0", archive, dest()}).status, 2);
  EXPECT_EQ(Run({"--max-bytes", "lots", archive, dest()}).status, 2);
  EXPECT_EQ(Run({folder_ / "absent", dest()}).status, 2);
  EXPECT_EQ(Run({archive, folder_ / "no/parent"}).status, 2);
  EXPECT_FALSE(fs::exists(dest()));
}

TEST_F(ExtractTool, EachLimitIsHeld) {
  const std::string archive = Save(TarBytes().File("a/b/c", "12345").File("d").Ended());
  for (const auto& [flag, enough, little] :
       std::vector<std::array<std::string, 3>>{{"--max-bytes", "6", "5"},
                                               {"--max-entries", "4", "3"},
                                               {"--max-depth", "3", "2"},
                                               {"--max-path", "5", "4"}}) {
    const std::string to = folder_ / flag;
    EXPECT_EQ(Run({flag, little, archive, to}).status, 1) << flag;
    EXPECT_EQ(Run({flag, enough, archive, to}).status, 0) << flag;
  }
}

TEST_F(ExtractTool, TheRatioIsHeld) {
  const std::string zeros(std::size_t{17} << 20U, '\0');
  const std::string archive = Save(Compressed(TarBytes().File("z", zeros).Ended(), "gzip"));
  EXPECT_EQ(Run({"--max-ratio", "500", archive, dest()}).status, 1);
  EXPECT_EQ(Run({"--max-ratio", "2000", archive, dest()}).status, 0);
}

TEST_F(ExtractTool, TheUmaskDoesNotCount) {
  const mode_t before = ::umask(0777);
  fs::create_directory(dest());
  fs::permissions(dest(), fs::perms::owner_all);
  const std::string archive = Save(Sound());
  fs::permissions(archive, fs::perms::owner_all);
  const auto end = Run({archive, dest()});
  ::umask(before);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(TreeOf(dest()), (std::map<std::string, std::string>{
                                {"a", "40755"}, {"a/b", "100644 one"}, {"c", "100644 two"}}));
}

TEST_F(ExtractTool, FoldersThatNobodyMayWriteAreAsDeepAsAnyOther) {
  TarBytes tar;
  std::string path;
  for (int depth = 1; depth < 64; ++depth) {
    path += "d/";
    tar.Pax({{"path", path}}).Add({.name = "x", .type = '5', .mode = "0000555"});
  }
  tar.Pax({{"path", path + "f"}}).File("x");
  const auto end = Run({Save(tar.Ended()), dest()});
  EXPECT_EQ(end.status, 0) << end.err;
  const auto tree = TreeOf(dest());
  EXPECT_EQ(tree.size(), 64U);
  for (const auto& [name, what] : tree) {
    EXPECT_EQ(what, name.ends_with('f') ? "100644 x" : "40555") << name;
  }
}

// Moving a folder changes its "..", which takes permission to write in it.
TEST_F(ExtractTool, AnOrdinaryUserGetsFoldersThatNobodyMayWrite) {
  TW_REQUIRE_ROOT();
  fs::permissions(folder_.path(), fs::perms::all);
  const std::string archive = Save(
      TarBytes().Add({.name = "fixed/", .type = '5', .mode = "0000555"}).File("fixed/f").Ended());
  const std::string program = fs::read_symlink("/proc/self/exe").replace_filename("tidewaiter");
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(126);
    ::execl(program.c_str(), program.c_str(), "extract", archive.c_str(), dest().c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(TreeOf(dest()),
            (std::map<std::string, std::string>{{"fixed", "40555"}, {"fixed/f", "100644 x"}}));
}

class Interrupted : public ExtractTool, public ::testing::WithParamInterface<int> {};

TEST_P(Interrupted, LeavesTheDestinationAsItWas) {
  for (const bool was_there : {false, true}) {
    if (was_there) fs::create_directory(dest());
    Program program("tidewaiter", {"extract", "-", dest()});
    // An archive that does not end: enough for files to be there.
    for (int i = 0; i < 200; ++i) {
      program.Feed(TarBytes().File("f" + std::to_string(i), std::string(9000, 'x')).bytes());
    }
    while (!fs::exists(dest() + "/.tidewaiter-extract/f0")) std::this_thread::yield();
    program.Signal(GetParam());
    EXPECT_TRUE(program.Complains("stopped"));  // before its input ends, too
    EXPECT_EQ(program.Wait().status, 1);
    EXPECT_EQ(fs::exists(dest()), was_there);
    EXPECT_TRUE(TreeOf(dest()).empty());
  }
}

INSTANTIATE_TEST_SUITE_P(ExtractTool, Interrupted, ::testing::Values(SIGINT, SIGTERM, SIGHUP),
                         [](const auto& number) {
                           return "By" + std::string(::sigabbrev_np(number.param));
                         });

// What the program writes to a terminal.
std::string OnATerminal(const std::string& archive, const std::string& destination) {
  int terminal = -1;
  const std::string program = fs::read_symlink("/proc/self/exe").replace_filename("tidewaiter");
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    ::execl(program.c_str(), program.c_str(), "extract", archive.c_str(), destination.c_str(),
            nullptr);
    ::_exit(127);
  }
  const UniqueFd owned(terminal);
  std::string text;
  std::array<char, 4096> bytes{};
  for (ssize_t got = 0; (got = ::read(terminal, bytes.data(), bytes.size())) > 0;) {
    text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return text;
}

TEST_F(ExtractTool, ATerminalSeesProgressAndACleanLine) {
  const std::string archive = Save(TarBytes().File("big", std::string(9 << 20, 'x')).Ended());
  const std::string text = OnATerminal(archive, dest());
  EXPECT_NE(text.find("files and folders"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\r\x1b[K")) << text;
}

}  // namespace
}  // namespace tidewaiter::testing
