#include "client/terminal_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidewaiter::client {
namespace {

using ::testing::EndsWith;
using ::testing::SizeIs;

TEST(TerminalSafe, EscapesWhatSteersATerminal) {
  EXPECT_EQ(TerminalSafe("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(TerminalSafe("line\nforged\r"), "line\\x0aforged\\x0d");
  // C1 CSI in UTF-8, and alone, where it is no UTF-8.
  EXPECT_EQ(TerminalSafe("\xc2\x9b"), "\\xc2\\x9b");
  EXPECT_EQ(TerminalSafe("\x9b"), "\\x9b");
}

TEST(TerminalSafe, EscapesWhatReversesTheOrderOfReading) {
  EXPECT_EQ(TerminalSafe("a\u202eb"), "a\\xe2\\x80\\xaeb");
}

TEST(TerminalSafe, KeepsQuotesBackslashesAndLetters) {
  EXPECT_EQ(TerminalSafe("tag 'caf\u00e9' \\x1b"), "tag 'caf\u00e9' \\x1b");
  EXPECT_EQ(TerminalSafe("''\\\\"), "''\\\\");
}

TEST(TerminalSafe, CutsWhatIsTooLong) {
  const std::string cut = TerminalSafe(std::string(1000, 'x'), 10);
  EXPECT_EQ(cut, "xxxxxxxxxx...");
  EXPECT_THAT(TerminalSafe(std::string(1000, '\''), 10), EndsWith("..."));
}

TEST(Wrap, BreaksAtSpacesAndIndents) {
  EXPECT_EQ(Wrap("one two three", 9, 2), "one two\n  three");
}

TEST(Wrap, KeepsALongWordWhole) {
  EXPECT_EQ(Wrap("a sha256:0123456789 b", 8, 0), "a\nsha256:0123456789\nb");
}

TEST(Wrap, DoesNothingWithoutAWidth) {
  EXPECT_EQ(Wrap("a  b c", 0, 4), "a  b c");
}

TEST(Fit, CountsCharactersNotBytes) {
  EXPECT_EQ(Fit("caf\u00e9", 6), "caf\u00e9  ");
  EXPECT_EQ(Fit("\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9", 5), "\u00e9\u00e9...");
}

TEST(Fit, NeverGrowsBeyondTheWidth) {
  EXPECT_EQ(Fit("abcdef", 2), "ab");
  EXPECT_THAT(Fit("abcdef", 5), SizeIs(5));
}

}  // namespace
}  // namespace tidewaiter::client
