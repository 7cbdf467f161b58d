#include "client/violation_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidewaiter::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Denied Denial() {
  v1::Denied denied;
  denied.set_policy("default");
  auto* violation = denied.add_violations();
  violation->set_rule("limits.memory");
  violation->set_field("limits.memoryBytes");
  violation->set_message("9 GiB is more than 8 GiB");
  violation->set_remedy("at most 8 GiB");
  return denied;
}

TEST(DenialText, ShowsRuleFieldReasonAndRemedy) {
  EXPECT_EQ(DenialText(Denial(), Terminal::None()),
            "denied by policy 'default': 1 violation\n"
            "\n"
            "limits.memoryBytes  (limits.memory)\n"
            "  why     9 GiB is more than 8 GiB\n"
            "  remedy  at most 8 GiB\n");
}

TEST(DenialText, ShowsEveryViolation) {
  v1::Denied denied = Denial();
  denied.add_violations()->set_field("mounts[1].bind.source");
  const std::string text = DenialText(denied, Terminal::None());
  EXPECT_THAT(text, HasSubstr("2 violations"));
  EXPECT_THAT(text, HasSubstr("\nlimits.memoryBytes"));
  EXPECT_THAT(text, HasSubstr("\nmounts[1].bind.source"));
}

TEST(DenialText, PassesNoControlCharacterOn) {
  v1::Denied denied;
  denied.set_policy("\x1b[1m");
  auto* violation = denied.add_violations();
  violation->set_rule("\x1b[2m");
  violation->set_field("\x1b[3m");
  violation->set_message("\x1b[4m\nforged");
  violation->set_remedy("\x1b[5m");
  const std::string text = DenialText(denied, Terminal::None());
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\nforged")));
}

TEST(DenialText, WrapsToTheTerminal) {
  v1::Denied denied = Denial();
  denied.mutable_violations(0)->set_message("aaaa bbbb cccc dddd");
  const std::string text = DenialText(denied, Terminal::With(/*colour=*/false, 24));
  EXPECT_THAT(text, HasSubstr("  why     aaaa bbbb cccc\n          dddd\n"));
}

TEST(DenialText, HasColoursOnlyWhereTheTerminalHas) {
  EXPECT_THAT(DenialText(Denial(), Terminal::With(true, 80)), HasSubstr("\x1b[31mdenied\x1b[0m"));
  EXPECT_THAT(DenialText(Denial(), Terminal::With(false, 80)), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace tidewaiter::client
