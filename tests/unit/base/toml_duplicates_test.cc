#include "base/toml_duplicates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <toml++/toml.h>

#include <random>
#include <string>
#include <vector>

namespace tidewaiter {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> Told(const std::string& text) {
  std::vector<std::string> told;
  for (const TomlDuplicate& each : FindTomlDuplicates(text).told) {
    told.push_back(std::to_string(each.at.line) + ":" + std::to_string(each.at.column) + ": " +
                   each.text);
  }
  return told;
}

TEST(TomlDuplicates, PlainKey) {
  EXPECT_THAT(Told("a = 1\nb = 2\n  a = 3\n"),
              ElementsAre("3:3: duplicate key 'a', first in line 1: one of the two"));
}

TEST(TomlDuplicates, EverySpellingOfAKeyIsTheSameKey) {
  EXPECT_THAT(Told("[t]\nab = 1\n'ab' = 2\n\"ab\" = 3\n\"\\u0061\\U00000062\" = 4\n"),
              ElementsAre("3:1: duplicate key 't.ab', first in line 2: one of the two",
                          "4:1: duplicate key 't.ab', first in line 2: one of the two",
                          "5:1: duplicate key 't.ab', first in line 2: one of the two"));
}

TEST(TomlDuplicates, DottedKey) {
  EXPECT_THAT(Told("[limits]\nmemory.max = 1\nmemory . 'max' = 2\nmemory.default = 3\n"),
              ElementsAre("3:1: duplicate key 'limits.memory.max', first in line 2: one of the "
                          "two"));
}

TEST(TomlDuplicates, DottedKeyIntoWhatIsNoTableOfDottedKeys) {
  EXPECT_THAT(Told("a = 1\na.b = 2\nc = {}\nc.d = 3\n"),
              ElementsAre("2:1: key 'a.b' redefines the value 'a' of line 1: one of the two",
                          "4:1: key 'c.d' redefines the inline table 'c' of line 3: one of the "
                          "two"));
}

TEST(TomlDuplicates, KeyOfAnInlineTable) {
  EXPECT_THAT(Told("a = {b = 1, c = 2, b = 3}\nd = [{e = 1}, {e = 1, e = 2}]\n"),
              ElementsAre("1:20: duplicate key 'a.b', first in line 1: one of the two",
                          "2:23: duplicate key 'd[1].e', first in line 2: one of the two"));
}

TEST(TomlDuplicates, KeyOfOneElementOfAnArrayOfTables) {
  EXPECT_THAT(Told("[[p]]\na = 1\n[[p]]\na = 1\na = 2\n"),
              ElementsAre("5:1: duplicate key 'p[1].a', first in line 4: one of the two"));
}

TEST(TomlDuplicates, TableHeader) {
  EXPECT_THAT(Told("[limits.memory]\nmax = 1\n[limits]\n [ limits . 'memory' ]\ndefault = 1\n"),
              ElementsAre("4:2: duplicate table [limits.memory], first in line 1: one table with "
                          "the keys of both"));
}

TEST(TomlDuplicates, KeysThatBothHeadersOfATableHaveAreNoFurtherProblems) {
  EXPECT_THAT(Told("[a]\nb = 1\nc.d = 1\n[a]\nb = 2\nc.d = 2\n"), SizeIs(1));
}

TEST(TomlDuplicates, KeyTwiceUnderTheSecondHeaderIsAProblemOfItsOwn) {
  EXPECT_THAT(Told("[a]\n[a]\nb = 2\nb = 3\n"), SizeIs(2));
  EXPECT_THAT(Told("[a]\nb = 1\n[a]\nb = 2\nb = 3\n"), SizeIs(2));
}

TEST(TomlDuplicates, HeaderOfWhatIsNoTable) {
  EXPECT_THAT(Told("a = 1\n[a]\nx = 1\n[a.b]\n[[a]]\n"),
              ElementsAre("2:1: [a] redefines the value 'a' of line 1: one of the two",
                          "4:1: [a.b] redefines the value 'a' of line 1: one of the two",
                          "5:1: [[a]] redefines the value 'a' of line 1: one of the two"));
}

TEST(TomlDuplicates, HeaderOfATableOfDottedKeys) {
  EXPECT_THAT(Told("[limits]\nmemory.max = 1\n[limits.memory]\n"),
              ElementsAre("3:1: [limits.memory] redefines the table 'limits.memory' of line 2: one "
                          "table with the keys of both"));
}

TEST(TomlDuplicates, HeaderIntoAnInlineTable) {
  EXPECT_THAT(Told("limits = {memory = {max = 1}}\n[limits.memory]\nmax = 1\n[limits.pids]\n"),
              ElementsAre("2:1: [limits.memory] redefines the inline table 'limits' of line 1: one "
                          "table with the keys of both",
                          "4:1: [limits.pids] redefines the inline table 'limits' of line 1: one "
                          "table with the keys of both"));
}

TEST(TomlDuplicates, TableAgainstTables) {
  EXPECT_THAT(Told("[[images.allow]]\n[images.allow]\n[images.allow]\nx = 1\nx = 2\n"),
              ElementsAre("2:1: [images.allow] redefines the array of tables 'images.allow' of "
                          "line 1: [[images.allow]]",
                          "3:1: [images.allow] redefines the array of tables 'images.allow' of "
                          "line 1: [[images.allow]]",
                          "5:1: duplicate key 'images.allow[2].x', first in line 4: one of the "
                          "two"));
}

TEST(TomlDuplicates, TablesAgainstTable) {
  EXPECT_THAT(Told("[principal]\n[[principal]]\n"),
              ElementsAre("2:1: [[principal]] redefines the table 'principal' of line 1: one table "
                          "with the keys of both"));
}

TEST(TomlDuplicates, TableAboveItsSubtablesIsNone) {
  EXPECT_THAT(Told("[a.b.c]\n[a]\nx = 1\n[a.b]\ny = 1\n[[d.e]]\n[d]\n"), IsEmpty());
}

TEST(TomlDuplicates, HeaderOfATableThatDottedKeysMadeMoreThanItsSubtables) {
  EXPECT_THAT(Told("[a.b.c]\n[a]\nb.x = {}\nb.y = [{}]\n[a.b]\n"), IsEmpty());
  EXPECT_THAT(Told("[a.b.c]\n[a]\nb.x = 1\n[a.b]\n"), SizeIs(1));
  EXPECT_THAT(Told("[a.b.c]\n[a]\nb.x = []\n[a.b]\n"), SizeIs(1));
}

TEST(TomlDuplicates, WhatTextsAndCommentsSayIsNone) {
  EXPECT_THAT(
      Told("a = 1 # a = 2\nb = '''\na = 1\n'''\nc = \"\"\"\na = 2\n[x]\n\"\"\"\n# [x]\n[x]"),
      IsEmpty());
}

TEST(TomlDuplicates, ColumnsAreCodePoints) {
  EXPECT_THAT(Told("a = {\"\u00e4\u20ac\" = 1, '\u00e4\u20ac' = 2, b = 1, b = 2}\n"),
              ElementsAre("1:16: duplicate key 'a.\u00e4\u20ac', first in line 1: one of the two",
                          "1:33: duplicate key 'a.b', first in line 1: one of the two"));
}

TEST(TomlDuplicates, SearchEndsWhereTheTextIsNoToml) {
  for (const char* text :
       {"a = 1\nb\na = 1\n", "a = 1\n[a\n", "a = 1\na", "a = 1\na =", "[x]\n[x",
        "\"\\x\" = 1\n\"\\x\" = 1\n", "\"\"\"a\"\"\" = 1\n", "a = [1', [", "[]\n[]",
        "\"\\u00g0\" = 1\n", "\"\\u1\"=1\n", "'a = 1\n'a = 1\n", ". = 1"}) {
    EXPECT_THAT(Told(text), IsEmpty()) << text;
  }
}

TEST(TomlDuplicates, OnlySomeOfManyAreTold) {
  std::string text;
  for (int i = 0; i < 150; ++i) text += "a = 1\n";
  const TomlDuplicates found = FindTomlDuplicates(text);
  EXPECT_THAT(found.told, SizeIs(TomlDuplicates::kMaxTold));
  EXPECT_EQ(found.untold, 149 - TomlDuplicates::kMaxTold);
}

TEST(TomlDuplicates, LongNamesAreCut) {
  std::string key = std::string(100'000, 'k');
  const auto told = Told("[" + key + ".a.b.c]\nx." + key + " = 1\nx." + key + " = 2\n");
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_LT(told[0].size(), 2000U);
}

// toml++'s own opinion: "redefine", "syntax" or "sound".
std::string Opinion(const std::string& text) {
  try {
    static_cast<void>(toml::parse(text));
    return "sound";
  } catch (const toml::parse_error& error) {
    const std::string_view description = error.description();
    const bool twice = description.find("cannot redefine") != std::string_view::npos ||
                       description.find("cannot insert") != std::string_view::npos;
    return twice ? "redefine" : "syntax " + std::string(description);
  }
}

std::string RandomToml(std::mt19937& random) {
  const auto any = [&random](const std::vector<std::string>& of) {
    return of[random() % of.size()];
  };
  const auto key = [&] {
    std::string text = any({"a", "b", "a", "b", "'a'", "\"\\u0062\""});
    for (int more = 0; more < 3 && random() % 2 == 0; ++more) {
      text += any({".", " . "}) + any({"a", "b", "b", "c"});
    }
    return text;
  };
  std::string text;
  for (unsigned line = 0, lines = 2 + static_cast<unsigned>(random() % 7); line < lines; ++line) {
    switch (random() % 4) {
      case 0: text += "[" + key() + "]\n"; break;
      case 1: text += "[[" + key() + "]]" + any({"", " # x"}) + "\n"; break;
      default:
        text += key() + " = " +
                any({"1", "'x'", "[]", "[1, 2]", "[{}]", "[{a = 1}, {b = 2}]", "{}",
                     "{" + key() + " = 1, " + key() + " = {b.c = 1}}",
                     "[\n{a = 1, " + key() + " = 2}]", "\"\"\"\na = 1\"\"\""}) +
                any({"\n", "\r\n"});
    }
  }
  return text;
}

TEST(TomlDuplicates, AreExactlyWhatTheParserRefusesForAnyText) {
  std::mt19937 random(20260201);
  int twice = 0;
  for (int round = 0; round < 1500; ++round) {
    const std::string text = RandomToml(random);
    const TomlDuplicates found = FindTomlDuplicates(text);
    const std::string opinion = Opinion(text);
    ASSERT_EQ(found.told.empty() ? "sound" : "redefine", opinion) << text;
    ASSERT_EQ(Opinion(found.copy.Text(text)), "sound") << text << "\n--\n" << found.copy.Text(text);
    twice += found.told.empty() ? 0 : 1;
  }
  EXPECT_GT(twice, 300);
  EXPECT_LT(twice, 1450);
}

}  // namespace
}  // namespace tidewaiter
