// The archives that TarSink writes, read as in a pod; and others, which are refused.
#include "extract/plain_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "extract/tar_sink.h"
#include "tests/support/tar_bytes.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::extract {
namespace {

using testing::TarBytes;

// What `tell` tells a TarSink, as an archive.
std::string Archive(const std::function<void(TarSink&)>& tell) {
  std::string archive;
  TarSink sink({}, [&](std::string_view piece) -> Expected<void> {
    archive += piece;
    return {};
  });
  tell(sink);
  EXPECT_TRUE(sink.Finish());
  return archive;
}

void AddFile(TarSink& sink, const std::string& path, std::string_view content,
             std::uint32_t mode = 0644) {
  EXPECT_TRUE(sink.BeginFile(path, mode, content.size()));
  EXPECT_TRUE(sink.Write(content));
  EXPECT_TRUE(sink.EndFile());
}

Expected<Summary> ReadPlainly(int fd, Sink& sink, const Limits& limits = {}) {
  PlainReader reader(fd, limits);
  return Extract(reader, limits, sink);
}

std::string PlainCodeOf(const std::string& bytes, const Limits& limits = {}) {
  const UniqueFd file = MemoryFile(bytes);
  RecordingSink sink;
  const auto end = ReadPlainly(file.get(), sink, limits);
  EXPECT_TRUE(end || !sink.finished);
  return end ? "accepted" : std::string(ToString(end.error().code));
}

// Content that no other place of it looks like.
std::string Content(std::size_t size) {
  std::string content;
  for (std::size_t i = 0; content.size() < size; ++i) content += std::to_string(i) + ' ';
  content.resize(size);
  return content;
}

// Entry by entry: all of its content, or nothing where it has none.
std::vector<std::pair<std::string, std::string>> Entries(PlainReader& reader) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (;;) {
    const auto next = reader.Next();
    EXPECT_TRUE(next) << next.error().message;
    if (!next || !*next) return entries;
    entries.emplace_back((*next)->path, "");
    for (;;) {
      const auto piece = reader.Read();
      EXPECT_TRUE(piece) << piece.error().message;
      if (!piece || piece->empty()) break;
      entries.back().second += *piece;
    }
    EXPECT_EQ(entries.back().second.size(), (*next)->size);
  }
}

TEST(PlainReader, FilesAndFoldersAreReadWithTheirModes) {
  const UniqueFd file = MemoryFile(Archive([](TarSink& sink) {
    EXPECT_TRUE(sink.AddFolder("a", 0755));
    EXPECT_TRUE(sink.AddFolder("a/closed", 0500));
    AddFile(sink, "a/program", "#!", 0755);
    AddFile(sink, "a/secret", "text", 0400);
  }));
  RecordingSink read;
  const auto end = ReadPlainly(file.get(), read);
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->entries, 4U);
  EXPECT_EQ(end->bytes, 6U);
  EXPECT_TRUE(read.finished);
  EXPECT_EQ(read.folders, (std::map<std::string, std::uint32_t>{{"a", 0755}, {"a/closed", 0500}}));
  EXPECT_EQ(read.files,
            (std::map<std::string, std::string>{{"a/program", "#!"}, {"a/secret", "text"}}));
  EXPECT_EQ(read.modes,
            (std::map<std::string, std::uint32_t>{{"a/program", 0755}, {"a/secret", 0400}}));
}

// At and around what the fields of ustar hold, as files and as folders.
TEST(PlainReader, EveryNameIsRead) {
  const std::vector<std::string> names = {"a",
                                          std::string(99, 'b'),
                                          std::string(100, 'c'),
                                          std::string(101, 'd'),
                                          std::string(250, 'e'),
                                          std::string(155, 'f') + "/" + std::string(100, 'f'),
                                          std::string(156, 'g') + "/" + std::string(99, 'g'),
                                          "gr\u00fc\u00dfe",
                                          std::string(97, 'h') + "\u00fc",
                                          "\u6f22\u5b57/" + std::string(240, 'i') + "\u00e9",
                                          "with space and 'quotes' \\n \" ="};
  const UniqueFd file = MemoryFile(Archive([&](TarSink& sink) {
    for (const std::string& name : names) {
      EXPECT_TRUE(sink.AddFolder(name + ".d", 0755));
      AddFile(sink, name, name);
    }
  }));
  PlainReader reader(file.get(), {});
  std::vector<std::pair<std::string, std::string>> expected;
  for (const std::string& name : names) {
    expected.emplace_back(name + ".d", "");
    expected.emplace_back(name, name);
  }
  EXPECT_EQ(Entries(reader), expected);
}

TEST(PlainReader, FilesOfEverySizeAreRead) {
  std::vector<std::pair<std::string, std::string>> expected;
  const std::string archive = Archive([&](TarSink& sink) {
    for (const std::size_t size : {0U, 1U, 511U, 512U, 513U, 0U, 1023U, 1024U, 65'535U, 65'536U,
                                   65'537U, 131'072U, 1'000'000U, 0U}) {
      const std::string name = std::to_string(expected.size());
      expected.emplace_back(name, Content(size));
      AddFile(sink, name, expected.back().second);
    }
  });
  const UniqueFd file = MemoryFile(archive);
  PlainReader reader(file.get(), {});
  EXPECT_EQ(Entries(reader), expected);
}

TEST(PlainReader, PiecesAreBounded) {
  const UniqueFd file =
      MemoryFile(Archive([](TarSink& sink) { AddFile(sink, "f", Content(1'000'000)); }));
  PlainReader reader(file.get(), {});
  ASSERT_TRUE(reader.Next());
  for (std::size_t left = 1'000'000; left > 0;) {
    const auto piece = reader.Read();
    ASSERT_TRUE(piece && !piece->empty());
    ASSERT_LE(piece->size(), std::size_t{64} << 10U);
    left -= piece->size();
  }
}

// Nothing of it, or not all.
TEST(PlainReader, ContentThatIsNotReadIsSkipped) {
  const UniqueFd file = MemoryFile(Archive([](TarSink& sink) {
    for (const char* const name : {"a", "b", "c"}) AddFile(sink, name, Content(200'001));
    AddFile(sink, "last", "the last");
  }));
  PlainReader reader(file.get(), {});
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) {
    const auto next = reader.Next();
    ASSERT_TRUE(next && *next);
    names.push_back((*next)->path);
    for (int read = 0; read < i; ++read) ASSERT_FALSE(reader.Read().value_or("").empty());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(Entries(reader),
            (std::vector<std::pair<std::string, std::string>>{{"last", "the last"}}));
}

TEST(PlainReader, AnArchiveOfNothingIsRead) {
  EXPECT_EQ(PlainCodeOf(Archive([](TarSink&) {})), "accepted");
}

TEST(PlainReader, AnArchiveThatWasCutIsTruncatedWhereverThatWas) {
  const std::string archive = Archive([](TarSink& sink) {
    EXPECT_TRUE(sink.AddFolder("a", 0755));
    AddFile(sink, "a/f", Content(700));
    AddFile(sink, std::string(120, 'n'), Content(10));
  });
  ASSERT_EQ(PlainCodeOf(archive), "accepted");
  for (std::size_t size = 0; size < archive.size(); size += 64) {
    const std::string code = PlainCodeOf(archive.substr(0, size));
    // Less than one header might be anything.
    EXPECT_EQ(code, size > 0 && size < 512 ? "not-a-tar" : "truncated") << size;
  }
  EXPECT_EQ(PlainCodeOf(archive.substr(0, archive.size() - 1)), "truncated");
}

TEST(PlainReader, AFileThatIsCutIsNamed) {
  const UniqueFd file =
      MemoryFile(Archive([](TarSink& sink) { AddFile(sink, "f", Content(700)); }).substr(0, 1000));
  RecordingSink sink;
  const auto end = ReadPlainly(file.get(), sink);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().entry, "f");
}

TEST(PlainReader, HostileArchivesAreRefused) {
  const auto one = [](char type) {
    return PlainCodeOf(TarBytes().Add({.name = "x", .type = type, .link = "/etc/passwd"}).Ended());
  };
  EXPECT_EQ(one('1'), "hard-link");
  EXPECT_EQ(one('2'), "symbolic-link");
  EXPECT_EQ(one('3'), "device");
  EXPECT_EQ(one('6'), "fifo");
  EXPECT_EQ(PlainCodeOf(TarBytes().File("../x").Ended()), "dot-dot");
  EXPECT_EQ(PlainCodeOf(TarBytes().File("a/../../x").Ended()), "dot-dot");
  EXPECT_EQ(PlainCodeOf(TarBytes().File("/x").Ended()), "absolute");
  EXPECT_EQ(PlainCodeOf(TarBytes().Pax({{"path", "../x"}}).File("x").Ended()), "dot-dot");
  EXPECT_EQ(PlainCodeOf(TarBytes().File("a\x1b").Ended()), "control-character");
  EXPECT_EQ(PlainCodeOf(TarBytes().File("a").File("a").Ended()), "duplicate");
  EXPECT_EQ(PlainCodeOf(TarBytes().Add({.name = "a", .checksum_error = 1}).Ended()),
            "bad-checksum");
  EXPECT_EQ(PlainCodeOf(TarBytes().File("a").Ended() + "more"), "trailing-data");
  EXPECT_EQ(PlainCodeOf(std::string(5000, 'x')), "not-a-tar");
}

TEST(PlainReader, WhatWasBeforeARefusalIsRead) {
  const UniqueFd file = MemoryFile(
      TarBytes().File("a", "one").Add({.name = "link", .type = '2', .link = "/"}).Ended());
  RecordingSink sink;
  const auto end = ReadPlainly(file.get(), sink);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().entry, "link");
  EXPECT_EQ(sink.files.at("a"), "one");
  EXPECT_FALSE(sink.finished);
}

TEST(PlainReader, LimitsAreHeld) {
  Limits limits;
  limits.max_depth = 2;
  EXPECT_EQ(PlainCodeOf(TarBytes().File("a/b/c").Ended(), limits), "too-deep");
  limits = {};
  limits.max_bytes = 2;
  EXPECT_EQ(PlainCodeOf(TarBytes().File("a", "123").Ended(), limits), "too-many-bytes");
}

TEST(PlainReader, AReadThatFailsIsRefused) {
  const UniqueFd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  PlainReader reader(folder.get(), {});
  const auto next = reader.Next();
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, Code::kWrite);
}

// As from a pipe: a read gives what there is, not what was asked for.
TEST(PlainReader, ReadsMayGiveFewBytes) {
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::pair<std::string, std::string>> expected = {
      {std::string(120, 'n'), Content(1)}, {"b", Content(512)}, {"c", Content(1300)}, {"d", ""}};
  const std::string archive = Archive([&](TarSink& sink) {
    for (const auto& [name, content] : expected) AddFile(sink, name, content);
  });
  for (const std::size_t piece : {1U, 7U, 511U, 513U}) {
    // Of packets (pipe(2), O_DIRECT) each read takes one, but all of it.
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | (piece == 1 ? O_DIRECT : 0)), 0);
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    std::thread writer([&] {
      for (std::size_t at = 0; at < archive.size(); at += piece) {
        const std::string part = archive.substr(at, piece);
        if (::write(writing.get(), part.data(), part.size()) < 0) break;
      }
      writing.Reset();
    });
    PlainReader reader(reading.get(), {});
    EXPECT_EQ(Entries(reader), expected) << piece;
    writer.join();
  }
}

}  // namespace
}  // namespace tidewaiter::extract
