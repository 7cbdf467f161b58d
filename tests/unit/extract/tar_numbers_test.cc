// Numbers that say nothing of an entry's name, size or permissions: programs that read them end an
// archive, or fail, where they are none.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "extract/extraction.h"
#include "tests/support/tar_bytes.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::extract {
namespace {

using testing::TarBytes;
using testing::TarFields;

struct Numeric {
  std::string name;
  std::string TarFields::*text;
  std::size_t size;
};

const std::vector<Numeric>& Numbers() {
  static const std::vector<Numeric> numbers{{"uid", &TarFields::uid, 8},
                                            {"gid", &TarFields::gid, 8},
                                            {"mtime", &TarFields::mtime, 12},
                                            {"devmajor", &TarFields::dev_major, 8},
                                            {"devminor", &TarFields::dev_minor, 8}};
  return numbers;
}

TarFields With(const Numeric& number, const std::string& text, char type = '0') {
  TarFields fields{.name = "a", .type = type};
  fields.*number.text = text;
  return fields;
}

// GNU's binary form in `size` bytes.
std::string Binary(std::int64_t value, std::size_t size) {
  std::string bytes(size, value < 0 ? '\xff' : '\0');
  for (std::size_t at = size; at-- > size - 7;) {
    bytes[at] = static_cast<char>(value & 0xFF);
    value >>= 8;
  }
  bytes.front() = value < 0 ? '\xff' : '\x80';
  return bytes;
}

std::string CodeOfFile(const TarFields& fields) {
  return CodeOf(TarBytes().File("0").Add(fields, "x").File("b").Ended());
}

TEST(TarNumbers, WhatIsNoNumberIsAmbiguousAndNamed) {
  const std::vector<std::string> wrong{
      "zzzzzzz", "99999999", "!!!!!!!",  "0 1 2 3",   "-000001",    "+000001", "0x00001",
      "0o00001", "0000_01",  "000000\t", {"0\0z", 3}, {"\0001", 2}, "\x81",    {"\xff\0", 2}};
  for (const Numeric& number : Numbers()) {
    for (const std::string& text : wrong) {
      RecordingSink sink;
      const auto end =
          ExtractBytes(TarBytes().File("0").Add(With(number, text), "x").Ended(), sink);
      ASSERT_FALSE(end.has_value()) << number.name << " " << text;
      EXPECT_EQ(ToString(end.error().code), "ambiguous") << number.name << " " << text;
      EXPECT_EQ(end.error().message,
                "a header whose " + number.name + " programs read differently");
      EXPECT_EQ(end.error().entry, "a");
    }
  }
}

// After a first entry: libarchive looks at the numbers of the first header, and only at those.
TEST(TarNumbers, TheyCountInHeadersOfHeadersToo) {
  const std::string path = TarBytes::Record("path", "long");
  const std::string comment = TarBytes::Record("comment", "c");
  for (const Numeric& number : Numbers()) {
    for (const auto& [text, code] : {std::pair("0000001", "accepted"), {"zzzzzzz", "ambiguous"}}) {
      TarFields fields = With(number, text, 'x');
      EXPECT_EQ(CodeOf(TarBytes().File("0").Add(fields, path).File("a").Ended()), code)
          << number.name;
      fields.type = 'g';
      EXPECT_EQ(CodeOf(TarBytes().File("0").Add(fields, comment).File("a").Ended()), code)
          << number.name;
      fields.type = 'L';
      fields.magic = std::string("ustar  \0", 8);
      EXPECT_EQ(CodeOf(TarBytes().File("0").Add(fields, {"long\0", 5}).File("a").Ended()), code)
          << number.name;
    }
  }
}

TEST(TarNumbers, WhatProgramsWriteIsAccepted) {
  for (const Numeric& number : Numbers()) {
    for (const std::string& text :
         {std::string(), std::string("0001750"), std::string("   750 "),
          std::string("000750 \0", 8), std::string(number.size, '7'),
          std::string(number.size - 1, ' '), std::string(number.size - 1, '\0') + ' ',
          Binary(1, number.size), Binary(0xFFFFFFFF, number.size)}) {
      EXPECT_EQ(CodeOfFile(With(number, text)), "accepted") << number.name << " '" << text << "'";
    }
  }
}

// GNU tar says so of spaces alone, but does not look at the devices of what is none.
TEST(TarNumbers, SpacesAloneAreNoNumberButOfADevice) {
  for (const Numeric& number : Numbers()) {
    EXPECT_EQ(CodeOfFile(With(number, std::string(number.size, ' '))),
              number.name.starts_with("dev") ? "accepted" : "ambiguous")
        << number.name;
  }
}

TEST(TarNumbers, OnlyTimesMayBeNegative) {
  for (const Numeric& number : Numbers()) {
    for (const std::int64_t value : {-1, -86400}) {
      EXPECT_EQ(CodeOfFile(With(number, Binary(value, number.size))),
                number.name == "mtime" ? "accepted" : "ambiguous")
          << number.name << value;
    }
  }
}

TEST(TarNumbers, LibarchivesBinaryTimesEndInASpace) {
  for (const std::int64_t time : {std::int64_t{16725225600}, std::int64_t{-315619200}}) {
    EXPECT_EQ(CodeOf(TarBytes()
                         .Pax({{"mtime", std::to_string(time)}})
                         .Add({.name = "a", .mtime = Binary(time, 11) + ' '}, "x")
                         .Ended()),
              "accepted");
  }
}

TEST(TarNumbers, NumbersThatNoProgramCanUseAreAmbiguous) {
  const std::int64_t kYears = std::int64_t{1} << 48;
  for (const Numeric& number : Numbers()) {
    const bool time = number.name == "mtime";
    const std::int64_t most = (time ? kYears : std::int64_t{1} << 32) - 1;
    EXPECT_EQ(CodeOfFile(With(number, Binary(most, number.size))), "accepted") << number.name;
    EXPECT_EQ(CodeOfFile(With(number, Binary(most + 1, number.size))), "ambiguous") << number.name;
  }
  EXPECT_EQ(CodeOfFile({.name = "a", .mtime = Binary(-kYears, 12)}), "accepted");
  EXPECT_EQ(CodeOfFile({.name = "a", .mtime = Binary(-kYears - 1, 12)}), "ambiguous");
  EXPECT_EQ(CodeOfFile({.name = "a", .mode = Binary(0100644, 8)}), "accepted");
  EXPECT_EQ(CodeOfFile({.name = "a", .mode = Binary(0x80000000, 8)}), "ambiguous");
}

TEST(TarNumbers, TimesOfPaxAreDecimal) {
  for (const std::string key : {"mtime", "atime", "ctime"}) {
    for (const std::string value :
         {"0", "1700000000", "1700000000.123456789", "-1", "-86400.5", "1.", "1099511627775"}) {
      EXPECT_EQ(CodeOf(TarBytes().Pax({{key, value}}).File("a").Ended()), "accepted") << value;
    }
    for (const std::string value :
         {"", "-", ".", ".5", "nan", "inf", "1e999", "1e3", "+1", " 1", "1 ", "1_0", "0x1", "--1",
          "1.2.3", "1.-2", "1,5", "1099511627776", "99999999999999999999999"}) {
      EXPECT_EQ(CodeOf(TarBytes().Pax({{key, value}}).File("a").Ended()), "ambiguous") << value;
    }
  }
}

TEST(TarNumbers, IdsOfPaxAreDecimal) {
  for (const std::string key : {"uid", "gid"}) {
    for (const std::string value : {"0", "1000", "007", "4294967295"}) {
      EXPECT_EQ(CodeOf(TarBytes().Pax({{key, value}}).File("a").Ended()), "accepted") << value;
    }
    for (const std::string value : {"", "-1", "+1", "1.0", "1e3", " 1", "x", "4294967296"}) {
      EXPECT_EQ(CodeOf(TarBytes().Pax({{key, value}}).File("a").Ended()), "ambiguous") << value;
    }
  }
  EXPECT_EQ(CodeOf(TarBytes().Pax({{"uid", "x"}}, 'g').File("a").Ended()), "ambiguous");
}

TEST(TarNames, APrefixWithoutANameIsAmbiguous) {
  for (const char type : {'\0', '0', '5'}) {
    EXPECT_EQ(CodeOf(TarBytes().Add({.name = "", .type = type, .prefix = "dir"}).Ended()),
              "ambiguous");
  }
}

TEST(TarNames, AFileWhoseNameEndsInADotIsAmbiguous) {
  EXPECT_EQ(CodeOf(TarBytes().File("foo/.").Ended()), "ambiguous");
  EXPECT_EQ(CodeOf(TarBytes().File("foo/./.").Ended()), "ambiguous");
  EXPECT_EQ(CodeOf(TarBytes().Pax({{"path", "foo/."}}).File("a").Ended()), "ambiguous");
  EXPECT_EQ(CodeOf(TarBytes().File(".").Ended()), "empty-name");
  EXPECT_EQ(CodeOf(TarBytes().File("./foo.").Ended()), "accepted");
  EXPECT_EQ(CodeOf(TarBytes().Folder("foo/./").Ended()), "accepted");
  EXPECT_EQ(CodeOf(TarBytes().Folder("foo/.").Ended()), "accepted");
}

}  // namespace
}  // namespace tidewaiter::extract
