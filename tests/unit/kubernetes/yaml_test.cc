#include "broker/kubernetes/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace tidewaiter::kubernetes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string ProblemOf(const std::string& text) {
  const Result<YamlNode> node = ParseYaml(text);
  return node ? "none" : node.error().message;
}

TEST(Yaml, MapsListsAndTextsOfEveryStyle) {
  const auto document = ParseYaml(
      "# comment\n"
      "a: plain text\n"
      "b: 'quoted'\n"
      "c: \"with \\\"escapes\\\"\"\n"
      "d:\n- 1\n- ~\n- {x: [y]}\n"
      "e: |\n  line\n  line\n"
      "f:\n");
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_THAT(document->keys, ElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_EQ(document->Find("a")->text, "plain text");
  EXPECT_TRUE(document->Find("a")->plain);
  EXPECT_EQ(document->Find("b")->text, "quoted");
  EXPECT_FALSE(document->Find("b")->plain);
  EXPECT_EQ(document->Find("c")->text, "with \"escapes\"");
  const YamlNode* const list = document->Find("d");
  ASSERT_EQ(list->items.size(), 3U);
  EXPECT_EQ(list->items[0].text, "1");
  EXPECT_EQ(list->items[1].kind, YamlNode::Kind::kNull);
  EXPECT_EQ(list->items[2].Find("x")->items[0].text, "y");
  EXPECT_EQ(document->Find("e")->text, "line\nline\n");
  EXPECT_EQ(document->Find("f")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(document->Find("g"), nullptr);
  EXPECT_EQ(list->Find("a"), nullptr);
}

TEST(Yaml, NodesKnowWhereTheyBegin) {
  const auto document = ParseYaml("a:\n  b: 1\n");
  ASSERT_TRUE(document) << document.error().message;
  const YamlNode* const inner = document->Find("a")->Find("b");
  EXPECT_EQ(inner->line, 2);
  EXPECT_EQ(inner->column, 6);
}

TEST(Yaml, ErrorsNameLineAndColumnAndNotTheText) {
  EXPECT_THAT(ProblemOf("a: b\n  c: d\n"), StartsWith("2:4: "));
  EXPECT_THAT(ProblemOf("a: [1, 2\n"), StartsWith("2:1: "));
  for (const char* text : {"a: *secret\n", "a: &secret b\n", "a: !secret b\n", "a: \"\\secret\"\n",
                           "secret: 1\nsecret: 2\n", "%secret\n---\n", "!secret: 1\n",
                           "a: @secret\n", "a: %secret\n", "? [secret]\n: 1\n"}) {
    EXPECT_THAT(ProblemOf(text), Not(HasSubstr("secret"))) << text;
  }
  EXPECT_EQ(ProblemOf("a: \"\\q\"\n"), "1:7: unknown escape character");
}

TEST(Yaml, SameKeyASecondTimeIsRefused) {
  EXPECT_THAT(ProblemOf("a: 1\nb: 2\n'a': 3\n"), StartsWith("3:1: the same key"));
  EXPECT_EQ(ProblemOf("a: {k: 1}\nb: {k: 1}\nk: 1\n"), "none");
}

TEST(Yaml, AnchorsAliasesTagsAndMergeKeysAreRefused) {
  EXPECT_THAT(ProblemOf("a: &x 1\n"), HasSubstr("anchors"));
  EXPECT_THAT(ProblemOf("a: &x\n"), HasSubstr("anchors"));
  EXPECT_THAT(ProblemOf("&x a: 1\n"), HasSubstr("anchors"));
  EXPECT_THAT(ProblemOf("a: &x [1]\nb: *x\n"), HasSubstr("anchors"));
  EXPECT_THAT(ProblemOf("&x {}\n"), HasSubstr("anchors"));
  EXPECT_THAT(ProblemOf("a: !!binary YQ==\n"), HasSubstr("tags"));
  EXPECT_THAT(ProblemOf("a: !!map {}\n"), HasSubstr("tags"));
  EXPECT_THAT(ProblemOf("<<: {a: 1}\n"), HasSubstr("merge"));
}

// Ten billion nodes, if its aliases were followed.
TEST(Yaml, AliasesThatWouldMultiplyAreRefused) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int n = 0; n < 9; ++n) text += ", " + before;
    text += "]\n";
  }
  EXPECT_THAT(ProblemOf(text), HasSubstr("anchors"));
}

TEST(Yaml, KeysAreTexts) {
  EXPECT_THAT(ProblemOf("? [a]\n: 1\n"), HasSubstr("a key that is no text"));
  EXPECT_THAT(ProblemOf("{a: 1}: 1\n"), HasSubstr("a key that is no text"));
  EXPECT_THAT(ProblemOf("~: 1\n"), HasSubstr("a key that is no text"));
}

TEST(Yaml, DocumentIsTheOnlyOne) {
  EXPECT_EQ(ProblemOf("---\na: 1\n...\n"), "none");
  EXPECT_EQ(ProblemOf(""), "none");
  EXPECT_THAT(ProblemOf("a: 1\n---\nb: 1\n"), HasSubstr("a second document"));
}

TEST(Yaml, TextIsUtf8WithoutControlCharacters) {
  EXPECT_EQ(ProblemOf("\xef\xbb\xbf"
                      "a: \xc3\xa9\n"),
            "none");
  EXPECT_THAT(ProblemOf("a: \xe9\n"), HasSubstr("UTF-8"));
  EXPECT_THAT(ProblemOf(std::string("a\0:\0", 4)), HasSubstr("control"));
  EXPECT_THAT(ProblemOf("a: \x1b[0m\n"), HasSubstr("control"));
}

std::string Repeated(const std::string& piece, std::size_t bytes) {
  std::string text;
  while (text.size() + piece.size() <= bytes) text += piece;
  return text;
}

TEST(Yaml, DepthIsBoundedHoweverItIsWritten) {
  const std::string nested = std::string(32, '[') + std::string(32, ']');
  EXPECT_EQ(ProblemOf(nested), "none");
  EXPECT_THAT(ProblemOf("[" + nested + "]"), HasSubstr("nested more than 32 deep"));
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(ProblemOf(lines), HasSubstr("nested"));
  for (const char* piece : {"[", "{", "[{", "- ", "? ", "{a: ", "{? "}) {
    EXPECT_NE(ProblemOf(Repeated(piece, std::size_t{256} << 10U)), "none") << piece;
  }
}

TEST(Yaml, NumberOfNodesAndBytesIsBounded) {
  EXPECT_THAT(ProblemOf(Repeated("- 1\n", kMaxYamlBytes)), HasSubstr("more than 50000 values"));
  EXPECT_THAT(ProblemOf(std::string(kMaxYamlBytes + 1, ' ')), HasSubstr("bytes"));
}

// Long texts of whatever the parser keeps or looks ahead for: for none may it take the square of
// the length.
TEST(Yaml, HostileTextTakesNoLongerThanItsLengthDeserves) {
  constexpr std::size_t kLong = std::size_t{64} << 10U;
  const auto begun = std::chrono::steady_clock::now();
  for (const char* piece : {" ",
                            "\n",
                            "\t",
                            "-",
                            "- ",
                            "a",
                            "a ",
                            "a: ",
                            ":",
                            ": ",
                            "?",
                            "? ",
                            "'",
                            "\"",
                            "''",
                            "\\",
                            "[",
                            "]",
                            "[]",
                            "{",
                            "}",
                            "{}",
                            ",",
                            "[,",
                            "{,",
                            "#",
                            "#\n",
                            "---\n",
                            "...\n",
                            "--- ",
                            "%",
                            "%a\n",
                            "%TAG ! a\n",
                            "|",
                            "|\n",
                            ">",
                            ">\n ",
                            "&a ",
                            "*a ",
                            "!",
                            "! ",
                            "!<",
                            "!!a ",
                            "<<",
                            "a:\n",
                            "a\n",
                            "- a\n-",
                            "\r",
                            "\xc2\x85",
                            "\xe2\x80\xa8",
                            "\xf0\x9f\x98\x80",
                            "\"\\\n",
                            "[a, ",
                            "[a: b, ",
                            "{a: b, ",
                            "? a\n: b\n",
                            "a: 'b\n",
                            "- |\n a\n",
                            "[[],",
                            "a:\n- "}) {
    static_cast<void>(ParseYaml(Repeated(piece, kLong)));
    static_cast<void>(ParseYaml("a: \"" + Repeated(piece, kLong)));
    static_cast<void>(ParseYaml("a: [" + Repeated(piece, kLong)));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
}

}  // namespace
}  // namespace tidewaiter::kubernetes
