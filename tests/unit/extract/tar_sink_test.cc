// What TarSink writes, and that every program reads it alike.
#include "extract/tar_sink.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "extract/tar_scanner.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tar_bytes.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::extract {
namespace {

Expected<void> AddFile(TarSink& sink, const std::string& path, std::string_view content,
                       std::uint32_t mode = 0644) {
  if (auto begun = sink.BeginFile(path, mode, content.size()); !begun) return begun;
  if (auto written = sink.Write(content); !written) return written;
  return sink.EndFile();
}

// libarchive takes names of PAX headers into the locale's character set, as in the worker.
const bool utf8 = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;

// Names at and around what each field and each program's own limits hold.
std::vector<std::string> HardNames() {
  const std::string component(150, 'c');
  std::string thousand;
  while (thousand.size() + 251 <= 1000) thousand += std::string(250, 'k') + '/';
  thousand.append(1000 - thousand.size(), 'k');
  return {"a",
          std::string(99, 'f'),
          std::string(100, 'g'),
          std::string(101, 'h'),
          component + "/" + std::string(99, 'i'),
          component + "/" + std::string(100, 'j'),
          component + "/" + std::string(101, 'l'),
          std::string(155, 'm') + "/" + std::string(100, 'n'),
          std::string(156, 'o') + "/" + std::string(99, 'p'),
          std::string(99, 'q') + "/" + std::string(155, 'q'),
          thousand,
          "gr\u00fc\u00dfe",
          "\u6f22\u5b57/" + std::string(240, 'r') + "\u00e9",
          "with space and 'quotes' \\n \" = \u200b",
          "-leading-dash"};
}

// An archive with each of these names as a file and as a folder.
std::string Archive(const std::vector<std::string>& names) {
  std::string archive;
  TarSink sink({.uid = 1234, .gid = 5'000'000}, [&](std::string_view piece) -> Expected<void> {
    archive += piece;
    return {};
  });
  std::string made;
  for (const std::string& name : names) {
    for (std::size_t end = name.find('/'); end != std::string::npos;
         end = name.find('/', end + 1)) {
      const std::string folder = name.substr(0, end);
      if (made.find('\n' + folder + '\n') == std::string::npos) {
        made += '\n' + folder + '\n';
        EXPECT_TRUE(sink.AddFolder(folder, 0755));
      }
    }
    EXPECT_TRUE(AddFile(sink, name, name.size() % 2 == 0 ? "" : "content of " + name));
    EXPECT_TRUE(sink.AddFolder(name + ".d", 0500));
  }
  EXPECT_TRUE(sink.Finish());
  return archive;
}

TEST(TarSink, ItsOwnReaderReadsEveryName) {
  const std::vector<std::string> names = HardNames();
  ASSERT_TRUE(utf8);
  RecordingSink read;
  const auto end = ExtractBytes(Archive(names), read);
  ASSERT_TRUE(end) << end.error().message << ": " << end.error().entry;
  ASSERT_EQ(read.files.size(), names.size());
  for (const std::string& name : names) {
    EXPECT_EQ(read.files.at(name), name.size() % 2 == 0 ? "" : "content of " + name);
    EXPECT_EQ(read.modes.at(name), 0644U);
  }
}

// What is written cannot be changed, and may not come twice.
TEST(TarSink, AFolderThatIsListedLateKeepsTheModeOfOneThatIsNot) {
  std::string archive;
  TarSink sink({}, [&](std::string_view piece) -> Expected<void> {
    archive += piece;
    return {};
  });
  ASSERT_TRUE(ExtractBytes(
      testing::TarBytes().File("d/f").Add({.name = "d/", .type = '5', .mode = "0000700"}).Ended(),
      sink));
  RecordingSink read;
  ASSERT_TRUE(ExtractBytes(archive, read));
  EXPECT_EQ(read.folders, (std::map<std::string, std::uint32_t>{{"d", 0755}}));
}

TEST(TarSink, EqualEntriesGiveEqualBytes) {
  EXPECT_EQ(Archive(HardNames()), Archive(HardNames()));
}

TEST(TarSink, OnlyWhatDoesNotFitGetsAPaxHeader) {
  const auto size = [](const std::string& name) {
    return EncodeTarHeader({.path = name, .is_folder = false, .mode = 0, .size = 0, .owner = {}}, 1)
        .size();
  };
  EXPECT_EQ(size(std::string(100, 'a')), 512U);
  EXPECT_EQ(size(std::string(101, 'a')), 1536U);
  EXPECT_EQ(size(std::string(155, 'a') + '/' + std::string(100, 'a')), 512U);
  EXPECT_EQ(size(std::string(156, 'a') + '/' + std::string(99, 'a')), 1536U);
  EXPECT_EQ(
      EncodeTarHeader(
          {.path = std::string(99, 'a'), .is_folder = true, .mode = 0, .size = 0, .owner = {}}, 1)
          .size(),
      512U);
  EXPECT_EQ(
      EncodeTarHeader(
          {.path = std::string(100, 'a'), .is_folder = true, .mode = 0, .size = 0, .owner = {}}, 1)
          .size(),
      1536U);
}

TEST(TarSink, ASizeBeyondOctalIsReadAsItIs) {
  for (const std::uint64_t size :
       {(std::uint64_t{1} << 33U) - 1, std::uint64_t{1} << 33U, std::uint64_t{1} << 40U}) {
    TarScanner scanner;
    const std::string header = EncodeTarHeader(
        {.path = "big", .is_folder = false, .mode = 0600, .size = size, .owner = {}}, 1);
    // Octal digits up to the NUL that ends the field.
    EXPECT_EQ(header.size(), size < std::uint64_t{1} << 33U ? 512U : 1536U);
    ASSERT_TRUE(scanner.Feed(header));
    const auto entry = scanner.Next();
    ASSERT_TRUE(entry.has_value());
    EXPECT_EQ(entry->size, size);
    EXPECT_EQ(entry->name, "big");
  }
}

TEST(TarSink, PiecesAreFullButTheLast) {
  std::vector<std::size_t> sizes;
  TarSink sink({}, [&](std::string_view piece) -> Expected<void> {
    sizes.push_back(piece.size());
    return {};
  });
  ASSERT_TRUE(AddFile(sink, "f", std::string(TarSink::kPieceBytes * 3, 'x')));
  ASSERT_TRUE(sink.Finish());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{TarSink::kPieceBytes, TarSink::kPieceBytes,
                                             TarSink::kPieceBytes, 512 + 1024}));
}

TEST(TarSink, ContentThatIsNotAsLongAsItsHeaderSaysEndsIt) {
  const auto ignore = [](std::string_view) -> Expected<void> { return {}; };
  TarSink longer({}, ignore);
  ASSERT_TRUE(longer.BeginFile("f", 0600, 3));
  EXPECT_FALSE(longer.Write("four"));
  TarSink shorter({}, ignore);
  ASSERT_TRUE(shorter.BeginFile("f", 0600, 3));
  ASSERT_TRUE(shorter.Write("12"));
  EXPECT_FALSE(shorter.EndFile());
}

TEST(TarSink, ARefusalOfItsOutputIsPassedOn) {
  TarSink sink({}, [](std::string_view) -> Expected<void> { return Refuse(Code::kWrite, "full"); });
  EXPECT_TRUE(sink.AddFolder("a", 0755));  // still in its piece
  EXPECT_FALSE(sink.Finish());
}

// What a program prints, with its complaints; it must succeed.
std::string OutputOf(const std::string& command) {
  std::string text;
  FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "popen failed";
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    text.append(buffer, got);
  }
  const int status = ::pclose(pipe);
  EXPECT_EQ(status, 0) << command << ": " << text;
  return text;
}

// Each program unpacks it; what they made is compared file by file with what our own reader says.
TEST(TarSink, EveryProgramUnpacksTheSame) {
  const testing::ScratchFolder folder;
  const std::string archive = Archive(HardNames());
  std::ofstream(folder / "a.tar") << archive;
  RecordingSink read;
  ASSERT_TRUE(ExtractBytes(archive, read));
  for (const std::string& program :
       {std::string("tar -C here -xpf a.tar"), std::string("bsdtar -C here -xpf a.tar"),
        std::string("python3 -c 'import tarfile; tarfile.open(\"a.tar\").extractall(\"here\")'")}) {
    const std::string where = folder.path();
    EXPECT_EQ(OutputOf("cd " + where + " && mkdir here && export LC_ALL=C.UTF-8 && " + program), "")
        << program;
    for (const auto& [path, content] : read.files) {
      std::ifstream file(folder / ("here/" + path), std::ios::binary);
      const std::string got{std::istreambuf_iterator<char>(file), {}};
      EXPECT_TRUE(file.is_open()) << program << ": " << path;
      EXPECT_EQ(got, content) << program << ": " << path;
    }
    const auto count = OutputOf("cd " + where + "/here && find . -mindepth 1 | wc -l");
    EXPECT_EQ(std::stoul(count), read.files.size() + read.folders.size()) << program;
    const auto modes = OutputOf("cd " + where + "/here && find . -type d -perm 0500 | wc -l");
    EXPECT_NE(std::stoul(modes), 0U) << program;
    OutputOf("cd " + where + " && rm -rf here");
  }
}

TEST(TarSink, EveryProgramListsOwnersAndTimesAlike) {
  const testing::ScratchFolder folder;
  std::ofstream(folder / "a.tar") << Archive({"a"});
  const std::string cd = "cd " + folder.path() + " && export LC_ALL=C TZ=UTC && ";
  EXPECT_EQ(OutputOf(cd + "tar --numeric-owner --full-time -tvf a.tar"),
            "-rw-r--r-- 1234/5000000     12 1970-01-01 00:00:00 a\n"
            "dr-x------ 1234/5000000      0 1970-01-01 00:00:00 a.d/\n");
  EXPECT_EQ(
      OutputOf(cd + "python3 -c 'import tarfile\nfor m in tarfile.open(\"a.tar\"): print(m.name, "
                    "m.uid, m.gid, m.mtime, oct(m.mode), m.size, m.isfile(), m.isdir())'"),
      "a 1234 5000000 0 0o644 12 True False\na.d 1234 5000000 0 0o500 0 False True\n");
  EXPECT_EQ(OutputOf(cd + "bsdtar --numeric-owner -tvf a.tar"),
            "-rw-r--r--  0 1234   5000000    12 Jan  1  1970 a\n"
            "dr-x------  0 1234   5000000     0 Jan  1  1970 a.d/\n");
}

}  // namespace
}  // namespace tidewaiter::extract
