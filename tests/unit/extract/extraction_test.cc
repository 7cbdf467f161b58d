// Archives as bytes: what is accepted, and each way of being wrong by its own code.
#include "extract/extraction.h"

#include <gtest/gtest.h>

#include "tests/support/tar_bytes.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::extract {
namespace {

using testing::TarBytes;

const std::string kGnu("ustar  \0", 8);
const std::string kV7(8, '\0');

TEST(Extraction, FilesAndFoldersArrive) {
  RecordingSink sink;
  const auto summary = ExtractBytes(
      TarBytes().Folder("./").Folder("./a/").File("./a/f", "one").File("b", "").Ended(), sink);
  ASSERT_TRUE(summary.has_value()) << summary.error().message;
  EXPECT_EQ(sink.files, (std::map<std::string, std::string>{{"a/f", "one"}, {"b", ""}}));
  EXPECT_EQ(sink.folders, (std::map<std::string, std::uint32_t>{{"a", 0755}}));
  EXPECT_TRUE(sink.finished);
  EXPECT_EQ(summary->entries, 3U);
  EXPECT_EQ(summary->bytes, 3U);
}

TEST(Extraction, EveryFormatIsRead) {
  for (const std::string& magic : {std::string("ustar\00000", 8), kGnu, kV7}) {
    RecordingSink sink;
    EXPECT_TRUE(ExtractBytes(TarBytes().Add({.name = "a", .magic = magic}, "x").Ended(), sink));
    EXPECT_EQ(sink.files.count("a"), 1U);
  }
}

TEST(Extraction, LongNamesOfEachFormatArrive) {
  const std::string folder(90, 'd');
  const std::string file(90, 'f');
  for (const std::string& archive :
       {TarBytes().Add({.name = file, .prefix = folder}, "x").Ended(),
        TarBytes().Pax({{"path", folder + "/" + file}}).File("short").Ended(),
        TarBytes().LongName(folder + "/" + file).Add({.name = "s", .magic = kGnu}, "x").Ended()}) {
    RecordingSink sink;
    const auto end = ExtractBytes(archive, sink);
    ASSERT_TRUE(end.has_value()) << end.error().message;
    EXPECT_EQ(sink.files.begin()->first, folder + "/" + file);
  }
}

TEST(Extraction, FoldersThatAreNotListedAreMade) {
  RecordingSink sink;
  ASSERT_TRUE(ExtractBytes(TarBytes().File("a/b/c").File("a/d").Ended(), sink));
  EXPECT_EQ(sink.folders, (std::map<std::string, std::uint32_t>{{"a", 0755}, {"a/b", 0755}}));
}

TEST(Extraction, EmptyComponentsAreDropped) {
  RecordingSink sink;
  const auto end = ExtractBytes(
      TarBytes().Folder(".//").Folder(".//src//").File(".//src//sub", "x").Ended(), sink);
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(sink.files, (std::map<std::string, std::string>{{"src/sub", "x"}}));
  EXPECT_EQ(sink.folders, (std::map<std::string, std::uint32_t>{{"src", 0755}}));
}

TEST(Extraction, AGlobalHeaderAfterTheLastEntryIsAmbiguous) {
  EXPECT_EQ(CodeOf(TarBytes().Pax({{"comment", "x"}}, 'g').File("a").Ended()), "accepted");
  EXPECT_EQ(CodeOf(TarBytes().File("a").Pax({{"comment", "x"}}, 'g').Ended()), "ambiguous");
}

TEST(Extraction, AFolderMayComeAfterWhatIsInIt) {
  EXPECT_EQ(CodeOf(TarBytes().File("a/b").Folder("a/").Ended()), "accepted");
}

TEST(Extraction, ModesAreCleaned) {
  RecordingSink sink;
  ASSERT_TRUE(ExtractBytes(TarBytes()
                               .Add({.name = "s", .mode = "0007777"}, "x")
                               .Add({.name = "n", .mode = "0000000"}, "x")
                               .Add({.name = "f/", .type = '5', .mode = "0001022"})
                               .Ended(),
                           sink));
  EXPECT_EQ(sink.modes["s"], 0755U);
  EXPECT_EQ(sink.modes["n"], 0400U);
  EXPECT_EQ(sink.folders["f"], 0500U);
}

TEST(Extraction, AHarmlessGlobalHeaderIsAccepted) {
  EXPECT_EQ(CodeOf(TarBytes().Pax({{"comment", "0123abc"}}, 'g').File("a").Ended()), "accepted");
}

TEST(Extraction, WhatIsNoFileOrFolderIsRefusedByItsName) {
  const std::vector<std::pair<char, std::string>> types{
      {'1', "hard-link"},    {'2', "symbolic-link"}, {'3', "device"},       {'4', "device"},
      {'6', "fifo"},         {'S', "sparse"},        {'7', "unknown-type"}, {'V', "unknown-type"},
      {'M', "unknown-type"}, {'Z', "unknown-type"}};
  for (const auto& [type, code] : types) {
    EXPECT_EQ(CodeOf(TarBytes().Add({.name = "a", .type = type, .link = "/etc/passwd"}).Ended()),
              code)
        << type;
  }
}

TEST(Extraction, ASocketIsRefused) {
  EXPECT_EQ(CodeOf(TarBytes().Pax({{"SCHILY.filetype", "socket"}}).File("a").Ended()), "socket");
}

// As a damaged "path" is: what it meant, nobody knows.
TEST(Extraction, AKeyOfPaxThatIsNotUtf8IsRefused) {
  EXPECT_EQ(CodeOf(TarBytes().Pax({{"pat\xbeh", "b"}}).File("a").Ended()), "ambiguous");
  EXPECT_EQ(CodeOf(TarBytes().Pax({{"\xc3\xbc", "b"}}).File("a").Ended()), "accepted");
}

TEST(Extraction, ASparseFileOfPaxIsRefused) {
  EXPECT_EQ(CodeOf(TarBytes().Pax({{"GNU.sparse.major", "1"}}).File("a").Ended()), "sparse");
}

TEST(Extraction, WhatComesTwiceIsRefused) {
  EXPECT_EQ(CodeOf(TarBytes().File("a").File("a").Ended()), "duplicate");
  EXPECT_EQ(CodeOf(TarBytes().File("a").File("./a").Ended()), "duplicate");
  EXPECT_EQ(CodeOf(TarBytes().File("a/b").File("a//b").Ended()), "duplicate");
  EXPECT_EQ(CodeOf(TarBytes().Folder("a/").Folder("a/").Ended()), "duplicate");
  EXPECT_EQ(CodeOf(TarBytes().Folder("./").Folder("./").Ended()), "duplicate");
}

TEST(Extraction, FilesAndFoldersOfOneNameAreRefused) {
  EXPECT_EQ(CodeOf(TarBytes().File("a").Folder("a/").Ended()), "not-a-folder");
  EXPECT_EQ(CodeOf(TarBytes().File("a").File("a/b").Ended()), "not-a-folder");
  EXPECT_EQ(CodeOf(TarBytes().Folder("a/").File("a").Ended()), "is-a-folder");
  EXPECT_EQ(CodeOf(TarBytes().File("a/b").File("a").Ended()), "is-a-folder");
}

TEST(Extraction, LimitsAreKept) {
  EXPECT_EQ(CodeOf(TarBytes().File("a").File("b").Ended(), {.max_entries = 2}), "accepted");
  EXPECT_EQ(CodeOf(TarBytes().File("a").File("b").Ended(), {.max_entries = 1}), "too-many-entries");
  EXPECT_EQ(CodeOf(TarBytes().File("a/b/c/d").Ended(), {.max_entries = 3}), "too-many-entries");
  EXPECT_EQ(CodeOf(TarBytes().File("a", "1234").Ended(), {.max_bytes = 4}), "accepted");
  EXPECT_EQ(CodeOf(TarBytes().File("a", "12345").Ended(), {.max_bytes = 4}), "too-many-bytes");
  EXPECT_EQ(CodeOf(TarBytes().File("a", "123").File("b", "45").Ended(), {.max_bytes = 4}),
            "too-many-bytes");
}

// Before a byte of it is read: the header says so.
TEST(Extraction, ASizeThatIsALieIsRefusedByTheLimit) {
  EXPECT_EQ(
      CodeOf(TarBytes().Raw(TarBytes::Header({.name = "a", .size = "77777777777"}, 0)).bytes()),
      "too-many-bytes");
}

TEST(Extraction, AnArchiveThatEndsTooSoonIsTruncated) {
  const std::string whole = TarBytes().File("a", std::string(700, 'x')).Ended();
  for (const std::size_t size : {0U, 512U, 513U, 1100U, 1536U, 1537U, 2048U, 2559U}) {
    EXPECT_EQ(CodeOf(whole.substr(0, size)), "truncated") << size;
  }
  EXPECT_EQ(CodeOf(whole), "accepted");
}

TEST(Extraction, ABrokenHeaderIsRefused) {
  EXPECT_EQ(CodeOf(TarBytes().Add({.name = "a", .checksum_error = 1}, "x").Ended()),
            "bad-checksum");
  EXPECT_EQ(CodeOf(TarBytes().File("a").Raw(std::string(512, 'x')).Ended()), "bad-checksum");
}

TEST(Extraction, WhatIsNoTarIsRefused) {
  EXPECT_EQ(CodeOf(std::string(2048, 'x')), "not-a-tar");
  EXPECT_EQ(CodeOf("PK\x03\x04" + std::string(2048, 'x')), "not-a-tar");
  EXPECT_EQ(CodeOf("!<arch>\n"), "not-a-tar");
  EXPECT_EQ(CodeOf(TarBytes().Add({.name = "a", .magic = "pax\0pax1"}, "x").Ended()), "not-a-tar");
}

TEST(Extraction, WhatFollowsTheEndIsRefused) {
  const std::string end = TarBytes().File("a").Ended();
  EXPECT_EQ(CodeOf(end + std::string(10240, '\0')), "accepted");  // padding of a tape's record
  EXPECT_EQ(CodeOf(end + "x"), "trailing-data");
  EXPECT_EQ(CodeOf(end + std::string(512, 'x')), "trailing-data");
  EXPECT_EQ(CodeOf(end + TarBytes().File("b").Ended()), "ambiguous");
}

TEST(Extraction, WhatProgramsReadDifferentlyIsAmbiguous) {
  const std::vector<std::pair<std::string, std::string>> archives{
      {"PAX size against header size",
       TarBytes().Pax({{"size", "2"}}).Add({.name = "a"}, "1").Ended()},
      {"PAX and GNU long name", TarBytes().Pax({{"path", "a"}}).LongName("b").File("c").Ended()},
      {"GNU long name and PAX", TarBytes().LongName("b").Pax({{"path", "a"}}).File("c").Ended()},
      {"two PAX headers", TarBytes().Pax({{"path", "a"}}).Pax({{"path", "b"}}).File("c").Ended()},
      {"two long names", TarBytes().LongName("a").LongName("b").File("c").Ended()},
      {"global header that renames", TarBytes().Pax({{"path", "a"}}, 'g').File("b").Ended()},
      {"global header that resizes", TarBytes().Pax({{"size", "1"}}, 'g').File("b").Ended()},
      {"a key twice", TarBytes().Pax({{"path", "a"}, {"path", "b"}}).File("c").Ended()},
      {"a malformed record",
       TarBytes().Add({.name = "p", .type = 'x'}, "99 path=a\n").File("c").Ended()},
      {"a record of no length",
       TarBytes().Add({.name = "p", .type = 'x'}, "path=a\n").File("c").Ended()},
      {"an empty path", TarBytes().Pax({{"path", ""}}).File("c").Ended()},
      {"a character set", TarBytes().Pax({{"hdrcharset", "BINARY"}}).File("c").Ended()},
      {"a link's target for a file", TarBytes().Pax({{"linkpath", "/x"}}).File("c").Ended()},
      {"a header for nothing", TarBytes().File("a").Pax({{"path", "b"}}).Ended()},
      {"a folder with content", TarBytes().Add({.name = "a/", .type = '5'}, "x").Ended()},
      {"a file named like a folder", TarBytes().File("a/").Ended()},
      {"one zero block amid it",
       TarBytes().File("a").Raw(std::string(512, '\0')).File("b").Ended()},
      {"a prefix in GNU's format",
       TarBytes().Add({.name = "a", .magic = kGnu, .prefix = "b"}, "x").Ended()},
      {"a prefix in an old format",
       TarBytes().Add({.name = "a", .magic = kV7, .prefix = "b"}, "x").Ended()},
      {"a size with letters", TarBytes().Add({.name = "a", .size = "0000000000x"}).Ended()},
      {"a size below zero", TarBytes().Add({.name = "a", .size = std::string(12, '\xff')}).Ended()},
      {"an empty size", TarBytes().Add({.name = "a", .size = ""}).Ended()},
  };
  for (const auto& [what, archive] : archives) EXPECT_EQ(CodeOf(archive), "ambiguous") << what;
}

TEST(Extraction, NulInANameIsRefusedWhereverItStands) {
  const std::string nul("a\0b", 3);
  EXPECT_EQ(CodeOf(TarBytes().File(nul).Ended()), "nul");
  EXPECT_EQ(CodeOf(TarBytes().Pax({{"path", nul}}).File("c").Ended()), "nul");
  EXPECT_EQ(CodeOf(TarBytes().LongName(nul).File("c").Ended()), "nul");
}

TEST(Extraction, ARefusalNamesItsEntry) {
  RecordingSink sink;
  const auto end = ExtractBytes(TarBytes().File("fine").File("../evil").Ended(), sink);
  ASSERT_FALSE(end.has_value());
  EXPECT_EQ(end.error().entry, "../evil");
  EXPECT_FALSE(sink.finished);
}

TEST(Extraction, AFolderListedAfterWhatIsInItGetsItsMode) {
  RecordingSink sink;
  ASSERT_TRUE(ExtractBytes(
      TarBytes().File("d/f").Add({.name = "d/", .type = '5', .mode = "0000700"}).Ended(), sink));
  EXPECT_EQ(sink.folders["d"], 0700U);
}

}  // namespace
}  // namespace tidewaiter::extract
