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

TEST(TomlDocument, SyntaxErrorsAndDuplicateKeysNameTheirPlace) {
  EXPECT_THAT(ParseError("a = 1\nb =\n"), StartsWith("f.toml:2:"));
  EXPECT_THAT(ParseError("a = 1\na = 2\n"), StartsWith("f.toml:2:"));
  EXPECT_THAT(ParseError("[t]\n[t]\n"), StartsWith("f.toml:2:"));
  EXPECT_THAT(ParseError("a = 99999999999999999999\n"), StartsWith("f.toml:1:"));
  EXPECT_THAT(ParseError("a = '\xff'\n"), StartsWith("f.toml:1:"));
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
