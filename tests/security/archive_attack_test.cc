// Archives that want to get out, or to be taken for something else: one attack each, against the
// program as it is installed. After each refusal nothing is left and nothing else has changed.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/extraction.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {

class ArchiveAttack : public ::testing::Test {
 protected:
  Extraction extraction_;
};

std::string Repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST_F(ArchiveAttack, AbsolutePath) {
  const std::string target = extraction_.outside() + "/planted";
  EXPECT_EQ(extraction_.Refusal(TarBytes().File(target).Ended()), "absolute");
}

TEST_F(ArchiveAttack, ClimbsOut) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().File("../outside/planted").Ended()), "dot-dot");
}

TEST_F(ArchiveAttack, ClimbsOutFromWithin) {
  EXPECT_EQ(
      extraction_.Refusal(
          TarBytes().Folder("a/").File("a/ok").File("a/../../outside/precious", "owned").Ended()),
      "dot-dot");
}

TEST_F(ArchiveAttack, FileThroughASymbolicLink) {
  EXPECT_EQ(extraction_.Refusal(TarBytes()
                                    .Add({.name = "link", .type = '2', .link = "../outside"})
                                    .File("link/planted")
                                    .Ended()),
            "symbolic-link");
}

TEST_F(ArchiveAttack, FolderModeThroughASymbolicLink) {
  EXPECT_EQ(extraction_.Refusal(TarBytes()
                                    .Add({.name = "link", .type = '2', .link = "../outside"})
                                    .Folder("link/")
                                    .Ended()),
            "symbolic-link");
}

TEST_F(ArchiveAttack, WriteThroughAHardLink) {
  EXPECT_EQ(
      extraction_.Refusal(TarBytes()
                              .Add({.name = "hard", .type = '1', .link = "../outside/precious"})
                              .File("hard", "owned")
                              .Ended()),
      "hard-link");
}

TEST_F(ArchiveAttack, CharacterDevice) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().Add({.name = "null", .type = '3'}).Ended()), "device");
}

TEST_F(ArchiveAttack, BlockDevice) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().Add({.name = "disk", .type = '4'}).Ended()), "device");
}

TEST_F(ArchiveAttack, FifoThatBlocksWhoOpensIt) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().Add({.name = "pipe", .type = '6'}).Ended()), "fifo");
}

TEST_F(ArchiveAttack, Socket) {
  EXPECT_EQ(extraction_.Refusal(
                TarBytes().Pax({{"SCHILY.filetype", "socket"}}).File("docker.sock").Ended()),
            "socket");
}

TEST_F(ArchiveAttack, TypeThatNobodyKnows) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().Add({.name = "x", .type = 'Z'}, "x").Ended()),
            "unknown-type");
}

TEST_F(ArchiveAttack, SparseFileWithOverlappingMaps) {
  TarFields fields{.name = "sparse", .type = 'S', .magic = std::string("ustar  \0", 8)};
  std::string block = TarBytes::Header(fields, 1024);
  // GNU's map at 386: offset and length, twice the same range.
  const std::string map = TarBytes::Octal(0) + '\0' + TarBytes::Octal(512) + '\0';
  block.replace(386, map.size(), map);
  block.replace(386 + map.size(), map.size(), map);
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  block.replace(148, 8, TarBytes::Octal(sum, 6) + std::string("\0 ", 2));
  EXPECT_EQ(extraction_.Refusal(TarBytes().Raw(block).Raw(std::string(1024, 'x')).Ended()),
            "sparse");
}

TEST_F(ArchiveAttack, SparseFileByPaxRecords) {
  EXPECT_EQ(extraction_.Refusal(TarBytes()
                                    .Pax({{"GNU.sparse.major", "1"},
                                          {"GNU.sparse.minor", "0"},
                                          {"GNU.sparse.name", "other"},
                                          {"GNU.sparse.realsize", "99999999999"}})
                                    .File("x")
                                    .Ended()),
            "sparse");
}

TEST_F(ArchiveAttack, GzipBomb) {
  const std::string bomb = Compressed(
      TarBytes().File("zeros", std::string(std::size_t{64} << 20U, '\0')).Ended(), "gzip");
  ASSERT_LT(bomb.size(), 100'000U);
  EXPECT_EQ(extraction_.Refusal(bomb), "compression-ratio");
}

TEST_F(ArchiveAttack, BombInABomb) {
  const std::string once = Compressed(TarBytes().File("a").Ended(), "gzip");
  EXPECT_EQ(extraction_.Refusal(Compressed(once, "gzip")), "ambiguous");
}

TEST_F(ArchiveAttack, ArchivesInTheArchiveStayClosed) {
  const std::string zip("PK\x03\x04 zip", 8);
  const std::string tar = TarBytes().File("../planted").Ended();
  const auto end =
      extraction_.Run(TarBytes().File("inner.zip", zip).File("inner.tar", tar).Ended());
  EXPECT_EQ(end.status, 0) << end.said;
  EXPECT_EQ(extraction_.Extracted().at("inner.zip"), "100644 " + zip);
  EXPECT_EQ(extraction_.Extracted().at("inner.tar"), "100644 " + tar);
}

TEST_F(ArchiveAttack, PaxSizeHidesAHeader) {
  const std::string hidden = TarBytes().File("hidden").bytes();
  EXPECT_EQ(extraction_.Refusal(TarBytes()
                                    .Pax({{"size", std::to_string(hidden.size())}})
                                    .Add({.name = "x", .size = TarBytes::Octal(0)})
                                    .Raw(hidden)
                                    .Ended()),
            "ambiguous");
}

TEST_F(ArchiveAttack, PaxPathAndGnuNameTogether) {
  EXPECT_EQ(
      extraction_.Refusal(TarBytes().LongName("one").Pax({{"path", "two"}}).File("three").Ended()),
      "ambiguous");
}

TEST_F(ArchiveAttack, GlobalHeaderThatRenames) {
  EXPECT_EQ(
      extraction_.Refusal(TarBytes().Pax({{"path", "../outside/planted"}}, 'g').File("x").Ended()),
      "ambiguous");
}

TEST_F(ArchiveAttack, SecondArchiveAfterTheEnd) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().File("a").Ended() + TarBytes().File("b").Ended()),
            "ambiguous");
}

TEST_F(ArchiveAttack, SecondGzipMemberAfterTheEnd) {
  EXPECT_EQ(extraction_.Refusal(Compressed(TarBytes().File("a").Ended(), "gzip") +
                                Compressed(TarBytes().File("b").Ended(), "gzip")),
            "ambiguous");
}

TEST_F(ArchiveAttack, DataAfterTheEnd) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().File("a").Ended() + "#!/bin/sh\n"), "trailing-data");
}

TEST_F(ArchiveAttack, DataAfterTheCompressedEnd) {
  EXPECT_EQ(extraction_.Refusal(Compressed(TarBytes().File("a").Ended(), "gzip") + "#!/bin/sh\n"),
            "trailing-data");
}

TEST_F(ArchiveAttack, ContentChangedUnderItsChecksum) {
  std::string archive = Compressed(TarBytes().File("a", "pay 100 to alice").Ended(), "gzip",
                                   "gzip:compression-level=0");
  archive.replace(archive.find("alice"), 5, "mally");
  EXPECT_EQ(extraction_.Refusal(archive), "corrupt");
}

TEST_F(ArchiveAttack, SpecialPermissionsAreTakenAway) {
  const auto end = extraction_.Run(TarBytes()
                                       .Add({.name = "root", .mode = "0006777"}, "x")
                                       // Without content: a write takes setuid away by itself.
                                       .Add({.name = "empty", .mode = "0006777"})
                                       .Add({.name = "tmp/", .type = '5', .mode = "0007777"})
                                       .Add({.name = "tmp/hidden", .mode = "0000000"}, "x")
                                       .Ended());
  ASSERT_EQ(end.status, 0) << end.said;
  const auto tree = extraction_.Extracted();
  EXPECT_EQ(tree.at("root"), "100755 x");
  EXPECT_EQ(tree.at("empty"), "100755 ");
  EXPECT_EQ(tree.at("tmp"), "40755");
  EXPECT_EQ(tree.at("tmp/hidden"), "100400 x");
}

TEST_F(ArchiveAttack, NulCutsAName) {
  EXPECT_EQ(extraction_.Refusal(
                TarBytes().Pax({{"path", std::string("safe\0/../evil", 13)}}).File("x").Ended()),
            "nul");
}

TEST_F(ArchiveAttack, NameThatDrivesATerminal) {
  const std::string archive = TarBytes().File("\x1b[2Jgone").Ended();
  EXPECT_EQ(extraction_.Refusal(archive), "control-character");
  EXPECT_EQ(extraction_.Run(archive).said.value("entry", ""), "\\x1b[2Jgone");
}

TEST_F(ArchiveAttack, NameThatIsNotUtf8) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().File("caf\xe9").Ended()), "not-utf8");
}

TEST_F(ArchiveAttack, NoName) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().File("").Ended()), "empty-name");
}

TEST_F(ArchiveAttack, VeryDeep) {
  EXPECT_EQ(
      extraction_.Refusal(TarBytes().Pax({{"path", Repeated("d/", 500) + "f"}}).File("x").Ended()),
      "too-deep");
}

TEST_F(ArchiveAttack, ComponentThatNoFileSystemTakes) {
  EXPECT_EQ(
      extraction_.Refusal(TarBytes().Pax({{"path", std::string(256, 'n')}}).File("x").Ended()),
      "component-too-long");
}

TEST_F(ArchiveAttack, PathThatNobodyCanOpenAgain) {
  const std::string path = Repeated(std::string(200, 'd') + "/", 20) + "f";
  EXPECT_EQ(extraction_.Refusal(TarBytes().Pax({{"path", path}}).File("x").Ended()),
            "path-too-long");
}

TEST_F(ArchiveAttack, SamePathTwice) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().File("a", "good").File("./a", "evil").Ended()),
            "duplicate");
}

TEST_F(ArchiveAttack, FileBelowAFile) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().File("a").File("a/b").Ended()), "not-a-folder");
}

TEST_F(ArchiveAttack, FolderReplacedByAFile) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().Folder("a/").File("a/b").File("a").Ended()),
            "is-a-folder");
}

TEST_F(ArchiveAttack, TooManyEntries) {
  TarBytes tar;
  for (int i = 0; i < 5; ++i) tar.File("f" + std::to_string(i));
  EXPECT_EQ(extraction_.Refusal(tar.Ended(), {"--max-entries", "4"}), "too-many-entries");
}

TEST_F(ArchiveAttack, OnePathThatNeedsManyFolders) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().File("a/b/c/d/e").Ended(), {"--max-entries", "4"}),
            "too-many-entries");
}

TEST_F(ArchiveAttack, TooManyBytes) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().File("a", std::string(2000, 'x')).Ended(),
                                {"--max-bytes", "1k"}),
            "too-many-bytes");
}

TEST_F(ArchiveAttack, SizeThatFillsTheDisk) {
  EXPECT_EQ(extraction_.Refusal(TarBytes().Add({.name = "a", .size = "77777777777"}, "x").Ended()),
            "too-many-bytes");
}

TEST_F(ArchiveAttack, SizeThatWrapsAround) {
  const std::string size = "\x80" + std::string(3, '\0') + "\x7f" + std::string(7, '\xff');
  EXPECT_EQ(extraction_.Refusal(
                TarBytes().File("first", "xx").Add({.name = "a", .size = size}, "x").Ended()),
            "ambiguous");
}

TEST_F(ArchiveAttack, Truncated) {
  const std::string archive =
      TarBytes().Folder("a/").File("a/b", std::string(3000, 'x')).File("c").Ended();
  // In and after a header, in content, in padding, before and in the end marker.
  for (const std::size_t at : {100U, 512U, 600U, 1024U, 2000U, 4100U, 4608U, 5632U, 6143U}) {
    EXPECT_EQ(extraction_.Refusal(archive.substr(0, at)), at == 100U ? "not-a-tar" : "truncated")
        << at;
  }
}

TEST_F(ArchiveAttack, TruncatedAmidWhatIsCompressed) {
  const std::string whole =
      Compressed(TarBytes().File("a", std::string(9999, 'x')).Ended(), "gzip");
  const std::string code = extraction_.Refusal(whole.substr(0, whole.size() / 2));
  EXPECT_TRUE(code == "corrupt" || code == "truncated") << code;
}

TEST_F(ArchiveAttack, BrokenChecksum) {
  EXPECT_EQ(extraction_.Refusal(
                TarBytes().File("a").Add({.name = "b", .checksum_error = 1}, "x").Ended()),
            "bad-checksum");
}

TEST_F(ArchiveAttack, CompressionThatIsBroken) {
  std::string archive = Compressed(TarBytes().File("a", std::string(9999, 'x')).Ended(), "xz");
  archive[archive.size() / 2] = static_cast<char>(~archive[archive.size() / 2]);
  EXPECT_EQ(extraction_.Refusal(archive), "corrupt");
}

TEST_F(ArchiveAttack, AnotherFormat) {
  EXPECT_EQ(extraction_.Refusal("PK\x03\x04" + std::string(2000, 'z')), "not-a-tar");
}

// What is extracted is kept under that name until it is accepted.
TEST_F(ArchiveAttack, TakesTheNameOfTheStagingFolder) {
  EXPECT_EQ(
      extraction_.Refusal(TarBytes().File("a").File(".tidewaiter-extract/x").File("z").Ended()),
      "write-failed");
}

}  // namespace
}  // namespace tidewaiter::testing
