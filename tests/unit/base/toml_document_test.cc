#include "base/toml_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidewaiter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

TomlDocument Open(std::string_view text) {
  auto document = TomlDocument::Parse(text, "f.toml");
  EXPECT_TRUE(document.has_value()) << (document ? "" : document.error().message);
  return *std::move(document);
}

std::string ParseError(std::string_view text) {
  auto document = TomlDocument::Parse(text, "f.toml");
  return document ? "parsed" : document.error().message;
}

std::string FinishError(TomlDocument& document) {
  const auto finished = document.Finish();
  return finished ? "" : finished.error().message;
}

TEST(TomlDocument, ReadsEveryKindOfValue) {
  TomlDocument document = Open(
      "s = 'x'\ni = 5\nb = true\nf = 1.5\nlist = ['a', 'b']\n[t]\nk = 1\n[[a]]\nn = 1\n[[a]]\nn = "
      "2\n");
  TomlTable root = document.Root();
  EXPECT_EQ(root.String("s"), "x");
  EXPECT_EQ(root.Int("i"), 5);
  EXPECT_EQ(root.Bool("b"), true);
  EXPECT_EQ(root.Scalar("f"), TomlScalar(1.5));
  EXPECT_THAT(*root.Strings("list"), ElementsAre("a", "b"));
  EXPECT_EQ(root.Table("t")->RequiredInt("k"), 1);
  auto tables = root.Tables("a");
  ASSERT_THAT(tables, SizeIs(2));
  EXPECT_EQ(tables[0].path(), "a[0]");
  EXPECT_EQ(tables[0].Int("n"), 1);
  EXPECT_EQ(tables[1].Int("n"), 2);
  EXPECT_EQ(FinishError(document), "");
}

TEST(TomlDocument, AbsentKeysAreNothingAndNoProblem) {
  TomlDocument document = Open("");
  TomlTable root = document.Root();
  EXPECT_EQ(root.String("s"), std::nullopt);
  EXPECT_EQ(root.Int("i"), std::nullopt);
  EXPECT_FALSE(root.Table("t").has_value());
  EXPECT_TRUE(root.Tables("a").empty());
  EXPECT_EQ(FinishError(document), "");
}

TEST(TomlDocument, KeysNoOneAskedForAreProblemsWithTheKnownOnes) {
  TomlDocument document = Open("sokcet = 'x'\n[docker]\nsocket = 'y'\nhost = 'z'\n");
  TomlTable root = document.Root();
  root.String("socket");
  root.Table("docker")->String("socket");
  EXPECT_EQ(FinishError(document),
            "f.toml:1:1: unknown key 'sokcet': one of docker, socket\n"
            "f.toml:4:1: unknown key 'docker.host': one of socket");
}

TEST(TomlDocument, UnknownTableIsOneProblem) {
  TomlDocument document = Open("[x]\na = 1\nb = 2\n");
  document.Root().String("s");
  EXPECT_THAT(FinishError(document), StartsWith("f.toml:1:2: unknown key 'x'"));
}

TEST(TomlDocument, WrongTypesAreProblemsAtTheValue) {
  TomlDocument document = Open("a = 1\nb = 'x'\nc = 'y'\nd = [1]\ne = 2\nf = [1]\n");
  TomlTable root = document.Root();
  EXPECT_EQ(root.String("a"), std::nullopt);
  EXPECT_EQ(root.Int("b"), std::nullopt);
  EXPECT_EQ(root.Bool("c"), std::nullopt);
  EXPECT_EQ(root.Strings("d"), std::nullopt);
  EXPECT_FALSE(root.Table("e").has_value());
  EXPECT_TRUE(root.Tables("f").empty());
  EXPECT_EQ(FinishError(document),
            "f.toml:1:5: 'a' is an integer: a string in quotes\n"
            "f.toml:2:5: 'b' is a string: an integer\n"
            "f.toml:3:5: 'c' is a string: true or false\n"
            "f.toml:4:6: 'd[0]' is an integer: a string in quotes\n"
            "f.toml:5:5: 'e' is an integer: a table [e]\n"
            "f.toml:6:6: 'f[0]' is an integer: a table [[f]]");
}

TEST(TomlDocument, NumbersOutOfRangeAreProblems) {
  TomlDocument document = Open("a = 0\nb = 11\nc = -1\n");
  TomlTable root = document.Root();
  EXPECT_EQ(root.Int("a", 1, 10), std::nullopt);
  EXPECT_EQ(root.RequiredInt("b", 1, 10), 1);
  EXPECT_EQ(root.Int("c", 0), std::nullopt);
  EXPECT_EQ(FinishError(document),
            "f.toml:1:5: 'a' is 0: between 1 and 10\n"
            "f.toml:2:5: 'b' is 11: between 1 and 10\n"
            "f.toml:3:5: 'c' is -1: at least 0");
}

TEST(TomlDocument, MissingRequiredKeysAreProblems) {
  TomlDocument document = Open("[t]\n");
  TomlTable root = document.Root();
  EXPECT_EQ(root.RequiredString("s"), "");
  root.Table("t")->RequiredInt("i");
  const std::string error = FinishError(document);
  EXPECT_THAT(error, HasSubstr("'s' is missing: a string"));
  EXPECT_THAT(error, HasSubstr("f.toml:1:1: 't.i' is missing: an integer"));
}

TEST(TomlDocument, OwnProblemsStandAtTheirPlace) {
  TomlDocument document = Open("\npath = 'x'\nlist = ['a',\n  'b']\n");
  TomlTable root = document.Root();
  root.String("path");
  root.Strings("list");
  root.ElementProblem("list", 1, "bad element: a better one");
  root.Problem("path", "relative: an absolute path");
  EXPECT_TRUE(document.HasProblems());
  EXPECT_EQ(FinishError(document),
            "f.toml:2:8: relative: an absolute path\nf.toml:4:3: bad element: a better one");
}

TEST(TomlDocument, SyntaxErrorsNameTheirPlaceAndWhatIsRight) {
  EXPECT_EQ(
      ParseError("a = 1\nb =\n"),
      "f.toml:2:4: not TOML: key-value pair: expected value, saw \"\\\\n\": KEY = VALUE on one "
      "line, texts in quotes");
  EXPECT_THAT(ParseError("a = 99999999999999999999\n"), StartsWith("f.toml:1:"));
  EXPECT_THAT(ParseError("a = 1e309\n"), StartsWith("f.toml:1:"));
  EXPECT_EQ(ParseError("a = '\xff'\n"),
            "f.toml:1:5: not TOML: Encountered invalid utf-8 sequence: TOML 1.0 in UTF-8");
}

TEST(TomlDocument, DuplicatesAreToldBesideEveryOtherProblem) {
  TomlDocument document =
      Open("a = 1\na = 'x'\nb = 'y'\n[t]\nc = 1\n[t]\nc = 2\nd = {e = 1, e = 2, f = 'z'}\ng = 1\n");
  TomlTable root = document.Root();
  EXPECT_EQ(root.Int("a"), 1);
  root.Int("b");
  TomlTable table = *root.Table("t");
  EXPECT_EQ(table.Int("c"), 1);
  TomlTable inner = *table.Table("d");
  EXPECT_EQ(inner.Int("e"), 1);
  inner.Int("f");
  EXPECT_EQ(FinishError(document),
            "f.toml:2:1: duplicate key 'a', first in line 1: one of the two\n"
            "f.toml:3:5: 'b' is a string: an integer\n"
            "f.toml:6:1: duplicate table [t], first in line 4: one table with the keys of both\n"
            "f.toml:8:13: duplicate key 't.d.e', first in line 8: one of the two\n"
            "f.toml:8:24: 't.d.f' is a string: an integer\n"
            "f.toml:9:1: unknown key 't.g': one of c, d");
}

TEST(TomlDocument, ProblemsBehindADuplicateOfTheSameLineKeepTheirColumn) {
  TomlDocument document =
      Open("t = {\"\u00e4\u20ac\" = 1, '\u00e4\u20ac' = 2, a = 1, a = 2, b = 'x'}");
  TomlTable table = *document.Root().Table("t");
  table.Int("\u00e4\u20ac");
  table.Int("a");
  table.Int("b");
  EXPECT_THAT(FinishError(document), HasSubstr("\nf.toml:1:44: 't.b' is a string: an integer"));
}

TEST(TomlDocument, WhatASecondHeaderAddsIsNotMissing) {
  TomlDocument document =
      Open("[a]\nx = 1\n[b]\n[a]\ns = 't'\n[[a.list]]\nn = 1\n[a.list]\nn = 2\n");
  TomlTable table = *document.Root().Table("a");
  document.Root().Table("b");
  EXPECT_EQ(table.RequiredInt("x"), 1);
  EXPECT_EQ(table.RequiredString("s"), "t");
  std::vector<TomlTable> list = table.Tables("list");
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(list[1].path(), "a.list[1]");
  EXPECT_EQ(list[0].Int("n"), 1);
  EXPECT_EQ(list[1].Int("n"), 2);
  EXPECT_EQ(FinishError(document),
            "f.toml:4:1: duplicate table [a], first in line 1: one table with the keys of both\n"
            "f.toml:8:1: [a.list] redefines the array of tables 'a.list' of line 6: [[a.list]]");
}

TEST(TomlDocument, HeaderIntoAnInlineTableIsReadAsPartOfIt) {
  TomlDocument document = Open("a = {b = {c = 1}}\n[a.b]\nd = 'x'\n[a.e.f]\ng = 1\n");
  TomlTable table = *document.Root().Table("a");
  TomlTable inner = *table.Table("b");
  EXPECT_EQ(inner.Int("c"), 1);
  inner.Int("d");
  EXPECT_EQ(table.Table("e")->Table("f")->Int("g"), 1);
  EXPECT_EQ(
      FinishError(document),
      "f.toml:2:1: [a.b] redefines the inline table 'a' of line 1: one table with the keys of "
      "both\n"
      "f.toml:3:5: 'a.b.d' is a string: an integer\n"
      "f.toml:4:1: [a.e.f] redefines the inline table 'a' of line 1: one table with the keys "
      "of both");
}

TEST(TomlDocument, WhatStandsUnderAHeaderOfNoTableIsNotRead) {
  TomlDocument document = Open("a = 1\n[a]\nx = 1\ny = 1\ny = 2\n[b]\n");
  TomlTable root = document.Root();
  EXPECT_EQ(root.Int("a"), 1);
  root.Table("b");
  EXPECT_EQ(FinishError(document),
            "f.toml:2:1: [a] redefines the value 'a' of line 1: one of the two\n"
            "f.toml:5:1: duplicate key 'a.y', first in line 4: one of the two");
}

TEST(TomlDocument, SyntaxErrorIsToldWithTheDuplicatesFound) {
  EXPECT_THAT(ParseError("a = 1\na = 1 2\n"),
              StartsWith("f.toml:2:1: duplicate key 'a', first in line 1: one of the two\n"
                         "f.toml:2:7: not TOML: "));
  EXPECT_THAT(ParseError("a = 1\na = 1\n[t]\n[t]\nx\n"), HasSubstr("\nf.toml:5:2: not TOML: "));
}

TEST(TomlDocument, ByteOrderMarkHidesNothing) {
  TomlDocument document = Open(
      "\xEF\xBB\xBF"
      "a = 1\na = 'x'\n");
  EXPECT_EQ(document.Root().Int("a"), 1);
  EXPECT_THAT(FinishError(document), StartsWith("f.toml:2:1: duplicate key 'a', first in line 1"));
}

TEST(TomlDocument, KeyThatLooksLikeAMadeUpOneIsUnknown) {
  TomlDocument document = Open("\"\\u00000\" = 1\n");
  EXPECT_THAT(FinishError(document), StartsWith("f.toml:1:1: unknown key '\\x000'"));
}

TEST(TomlDocument, DuplicatesThatAreNotToldAreCounted) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "[t]\n";
  TomlDocument document = Open(text);
  document.Root().Table("t");
  EXPECT_THAT(FinishError(document), HasSubstr("and 4899 more problems"));
}

TEST(TomlDocument, NulByteInAStringIsAProblem) {
  TomlDocument document = Open("a = \"x\\u0000y\"\n");
  EXPECT_EQ(document.Root().String("a"), std::nullopt);
  EXPECT_THAT(FinishError(document), HasSubstr("NUL"));
}

TEST(TomlDocument, SizeIsBounded) {
  EXPECT_THAT(ParseError(std::string(TomlDocument::kMaxBytes + 1, '\n')), HasSubstr("at most"));
  EXPECT_EQ(ParseError(std::string(TomlDocument::kMaxBytes, '\n')), "parsed");
}

TEST(TomlDocument, NestingIsBoundedForEveryWayToNest) {
  std::string dotted = "a";
  for (int i = 0; i < 400000; ++i) dotted += ".a";
  EXPECT_THAT(ParseError(dotted + " = 1\n"), HasSubstr("nested too deeply"));
  EXPECT_THAT(ParseError("[" + dotted + "]\n"), HasSubstr("nested too deeply"));
  EXPECT_THAT(ParseError("x = {" + dotted + " = 1}\n"), HasSubstr("nested too deeply"));
  std::string quoted = "''";
  for (int i = 0; i < 1000; ++i) quoted += " . \"\"";
  EXPECT_THAT(ParseError(quoted + " = 1\n"), HasSubstr("nested too deeply"));
  EXPECT_THAT(ParseError("x = " + std::string(1000, '[')), HasSubstr("nested too deeply"));
}

TEST(TomlDocument, DotsAndBracketsInTextsDoNotNest) {
  const std::string many(200, '.');
  const std::string brackets(200, '[');
  EXPECT_EQ(
      ParseError("a = '" + many + brackets + "'\n# " + many + brackets + "\nb = \"\\\"" + many +
                 "\"\nc = '''\n" + brackets + "''\n'''\nd = \"\"\"" + brackets + "\\\"\"\"\"\n"),
      "parsed");
}

TEST(TomlDocument, HostileNamesArePrintable) {
  TomlDocument document = Open("\"\\u001b[2J\\n\" = 1\n");
  document.Root().String("x");
  EXPECT_THAT(FinishError(document), HasSubstr("unknown key '\\x1b[2J\\x0a'"));
}

TEST(TomlDocument, ManyProblemsAreCounted) {
  std::string text;
  for (int i = 0; i < 150; ++i) text += "k" + std::to_string(i) + " = 1\n";
  TomlDocument document = Open(text);
  EXPECT_THAT(FinishError(document), HasSubstr("and 50 more problems"));
}

}  // namespace
}  // namespace tidewaiter
