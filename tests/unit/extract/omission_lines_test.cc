// What the packer in a pod says, and what can be made of it by one that a hostile job has taken
// over.
#include "extract/omission_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"

namespace tidewaiter::extract {
namespace {

using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

using Told = std::vector<std::pair<std::string, std::string>>;

// What a reader has made of some bytes.
struct Heard {
  Told omissions;
  std::optional<std::uint64_t> omitted;
  std::string message;
  friend bool operator==(const Heard&, const Heard&) = default;
};

Heard Hear(const std::vector<std::string>& pieces) {
  Heard heard;
  OmissionReader reader([&](std::string_view code, std::string_view path) {
    heard.omissions.emplace_back(code, path);
  });
  for (const std::string& piece : pieces) reader.Feed(piece);
  heard.omitted = reader.omitted();
  heard.message = reader.message();
  return heard;
}

// The path of the only omission, given that one line.
std::string PathOf(const std::string& path) {
  const Heard heard = Hear({"omitted fifo " + path + "\n"});
  EXPECT_THAT(heard.omissions, SizeIs(1));
  return heard.omissions.empty() ? "" : heard.omissions.front().second;
}

TEST(OmissionLines, WhatIsFormattedIsRead) {
  const std::string text =
      FormatOmission({.path = "a b/c", .code = Code::kSymbolicLink, .message = "a symbolic link"}) +
      FormatOmission({.path = ".", .code = Code::kTooManyEntries, .message = ""}) +
      FormatOmission({.path = "gr\u00fc\u00dfe", .code = Code::kFifo, .message = ""}) +
      FormatPacked({.entries = 5, .bytes = 70}, 1234);
  EXPECT_EQ(text,
            "omitted symbolic-link a b/c\nomitted too-many-entries .\n"
            "omitted fifo gr\u00fc\u00dfe\npacked 5 70 1234\n");
  EXPECT_EQ(Hear({text}), (Heard{.omissions = {{"symbolic-link", "a b/c"},
                                               {"too-many-entries", "."},
                                               {"fifo", "gr\u00fc\u00dfe"}},
                                 .omitted = 1234,
                                 .message = ""}));
}

TEST(OmissionLines, HowLongTheArchiveIsIsRead) {
  OmissionReader reader([](std::string_view, std::string_view) {});
  EXPECT_FALSE(reader.sent().has_value());
  reader.Feed(FormatSent(10'240));
  EXPECT_EQ(reader.sent(), 10'240U);
  EXPECT_EQ(reader.message(), "");
  for (const char* const bad : {"sent\n", "sent x\n", "sent 1 2\n", "sent -1\n"}) {
    OmissionReader other([](std::string_view, std::string_view) {});
    other.Feed(bad);
    EXPECT_FALSE(other.sent().has_value()) << bad;
    EXPECT_NE(other.message(), "") << bad;
  }
}

TEST(OmissionLines, EveryCodeIsRead) {
  for (int i = 0; i <= static_cast<int>(Code::kOtherFileSystem); ++i) {
    const auto code = static_cast<Code>(i);
    const Heard heard = Hear({FormatOmission({.path = "p", .code = code, .message = ""})});
    EXPECT_EQ(heard.omissions, (Told{{std::string(ToString(code)), "p"}}));
  }
}

TEST(OmissionLines, BytesMayComeInAnyPieces) {
  const std::string text =
      "omitted fifo a\nwho \xc3\xa9 knows\nomitted socket b\x1b c\n\npacked 1 2 3\nend";
  const Heard whole = Hear({text});
  EXPECT_THAT(whole.omissions, SizeIs(2));
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t j = i; j <= text.size(); ++j) {
      ASSERT_EQ(Hear({text.substr(0, i), text.substr(i, j - i), text.substr(j)}), whole)
          << i << ' ' << j;
    }
  }
  std::vector<std::string> bytes;
  for (const char c : text) bytes.emplace_back(1, c);
  EXPECT_EQ(Hear(bytes), whole);
}

// Until its line has ended, it may be the beginning of another.
TEST(OmissionLines, ALineThatDoesNotEndIsNotTaken) {
  EXPECT_EQ(Hear({"packed 1 2 3"}).omitted, std::nullopt);
  EXPECT_THAT(Hear({"omitted fifo a"}).omissions, IsEmpty());
}

TEST(OmissionLines, WhatWasEscapedIsNotEscapedAgain) {
  EXPECT_EQ(PathOf(Printable("a\nb\\c")), Printable("a\nb\\c"));
}

// What Printable writes otherwise, one of each kind.
TEST(OmissionLines, APathThatIsNotSafeToPrintIsMadeSo) {
  for (const char* const raw : {"a\tb", "a\x7f", "a\x1b[2J", "a\xff", "\xc3",
                                "a\xc2\x9b"
                                "2J",
                                "a\u202e"
                                "b",
                                "a\u2028", "\ufeff"}) {
    EXPECT_EQ(PathOf(raw), Printable(raw));
    EXPECT_NE(PathOf(raw), raw);
  }
  const Heard nul = Hear({std::string("omitted fifo a\0b\n", 17)});
  EXPECT_EQ(nul.omissions, (Told{{"fifo", "a\\x00b"}}));
  // Bytes that would be one character without what is between them.
  EXPECT_EQ(PathOf("\xc3\\\xa9"), "\\xc3\\\\\\xa9");
}

TEST(OmissionLines, AHugeLineIsCut) {
  const std::string most(4096, 'p');
  EXPECT_EQ(PathOf(most), most);
  const std::string cut = PathOf(std::string(std::size_t{5} << 20U, 'p'));
  EXPECT_EQ(cut, most + "...");
  EXPECT_LT(PathOf(std::string(100'000, '\x01')).size(), 4200U);
  // What comes after it counts.
  const Heard heard =
      Hear({std::string(100'000, 'x'), std::string(100'000, 'y'), "\npacked 1 2 3\n"});
  EXPECT_EQ(heard.omitted, 3U);
}

// As it is cut, its end is none.
TEST(OmissionLines, TheRestOfAHugeLineIsNotALine) {
  const Heard heard = Hear({std::string(8192, 'x') + "omitted fifo a", "omitted fifo b\n"});
  EXPECT_THAT(heard.omissions, IsEmpty());
}

TEST(OmissionLines, NoMoreAreListedThanThereMayBe) {
  std::string text;
  for (std::size_t i = 0; i < kMaxListedOmissions + 5; ++i) {
    text += FormatOmission({.path = std::to_string(i), .code = Code::kFifo, .message = ""});
  }
  const Heard heard = Hear({text + FormatPacked({}, kMaxListedOmissions + 5)});
  ASSERT_THAT(heard.omissions, SizeIs(kMaxListedOmissions));
  EXPECT_EQ(heard.omissions.back().second, std::to_string(kMaxListedOmissions - 1));
  EXPECT_EQ(heard.omitted, kMaxListedOmissions + 5);
  EXPECT_EQ(heard.message, "");
}

TEST(OmissionLines, NothingIsOmittedAfterTheEnd) {
  const Heard heard = Hear({"omitted fifo a\npacked 1 2 1\nomitted fifo b\n"});
  EXPECT_EQ(heard.omissions, (Told{{"fifo", "a"}}));
  EXPECT_EQ(heard.omitted, 1U);
}

TEST(OmissionLines, BadNumbersAreNoEnd) {
  for (const std::string line :
       {"packed", "packed ", "packed 1 2", "packed 1 2 ", "packed 1 2 -3", "packed 1 2 +3",
        "packed 1 2 3 ", "packed 1 2 3 4", "packed 1 2 3x", "packed 1 2 0x3", "packed x 2 3",
        "packed 1 x 3", "packed  1 2 3", "packed 1 2 18446744073709551616", " packed 1 2 3",
        "Packed 1 2 3", "packed 1 2 3\r"}) {
    const Heard heard = Hear({line + "\n"});
    EXPECT_EQ(heard.omitted, std::nullopt) << line;
    EXPECT_EQ(heard.message, Printable(line));
  }
  EXPECT_EQ(Hear({"packed 0 0 18446744073709551615\n"}).omitted, UINT64_MAX);
}

TEST(OmissionLines, WhatIsNoCodeIsAMessage) {
  for (const std::string line :
       {"omitted", "omitted ", "omitted fifo", "omitted fifo ", "omitted  a", "omitted FIFO a",
        "omitted fi.fo a", "omitted fi\xc3\xa9 a", "omitted fi_fo a", "omit fifo a"}) {
    const Heard heard = Hear({line + "\n"});
    EXPECT_THAT(heard.omissions, IsEmpty()) << line;
    EXPECT_EQ(heard.message, Printable(line));
  }
  EXPECT_THAT(Hear({"omitted " + std::string(64, 'c') + " a\n"}).omissions, SizeIs(1));
  EXPECT_THAT(Hear({"omitted " + std::string(65, 'c') + " a\n"}).omissions, IsEmpty());
}

TEST(OmissionLines, WhatElseIsSaidIsTheMessage) {
  EXPECT_EQ(Hear({"one\nomitted fifo a\ntwo\nand the rest"}).message,
            "one\\x0atwo\\x0aand the rest");
  EXPECT_EQ(Hear({"not ended"}).message, "not ended");
  EXPECT_EQ(Hear({""}).message, "");
}

TEST(OmissionLines, TheMessageIsBoundedAndSafeToPrint) {
  std::string lines;
  for (int i = 0; i < 100'000; ++i) lines += "line\n";
  const std::string many = Hear({lines}).message;
  EXPECT_THAT(many, StartsWith("line\\x0aline"));
  EXPECT_THAT(many, EndsWith("..."));
  EXPECT_LT(many.size(), 420U);
  const std::string long_one = Hear({std::string(std::size_t{5} << 20U, 'x')}).message;
  EXPECT_EQ(long_one, std::string(400, 'x') + "...");
  for (const std::string end : {"", "\n"}) {
    const std::string hostile =
        Hear({"\x1b[31m\xff\u202e\xc2\x9b" + std::string(5000, '\x02') + end}).message;
    EXPECT_THAT(hostile, StartsWith("\\x1b[31m\\xff\\xe2\\x80\\xae\\xc2\\x9b\\x02"));
    EXPECT_LT(hostile.size(), 420U);
  }
}

// What a reader holds is the broker's memory. (A sanitizer counts none, and so holds this.)
TEST(OmissionLines, HoweverMuchIsSaidLittleIsHeld) {
  const auto held = [] {
    const struct mallinfo2 now = ::mallinfo2();
    return now.uordblks + now.hblkhd;
  };
  const std::string one_line(100'000, 'x');
  const std::string lines = std::string(400, 'y') + '\n';
  for (const std::string& piece : {one_line, lines}) {
    OmissionReader reader([](std::string_view, std::string_view) {});
    const std::size_t before = held();
    for (int i = 0; i < 5000; ++i) reader.Feed(piece);
    EXPECT_LT(held(), before + 100'000);
  }
}

}  // namespace
}  // namespace tidewaiter::extract
