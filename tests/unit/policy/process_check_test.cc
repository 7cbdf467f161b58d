#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

RunSpec Command(std::vector<std::string> command) {
  RunSpec spec = AdmittedSpec();
  spec.command = std::move(command);
  return spec;
}

RunSpec Env(std::map<std::string, std::string> env) {
  RunSpec spec = AdmittedSpec();
  spec.env = std::move(env);
  return spec;
}

RunSpec User(std::string user) {
  RunSpec spec = AdmittedSpec();
  spec.user = std::move(user);
  return spec;
}

RunSpec WorkingDir(std::string folder) {
  RunSpec spec = AdmittedSpec();
  spec.working_dir = std::move(folder);
  return spec;
}

TEST(CommandCheck, ArgumentsPassUnchanged) {
  const std::vector<std::string> command{"sh", "-c", "echo 'a b'\n", "", "--", "\xC3\xA4"};
  EXPECT_EQ(Effective(Toml(), Command(command)).command, command);
}

TEST(CommandCheck, NulByteAndInvalidUtf8AreDeniedByPlace) {
  EXPECT_THAT(Ask(Toml(), Command({"a", "b\0c"s, "\xff"})),
              ElementsAre("command.invalid command[1]", "command.invalid command[2]"));
}

TEST(CommandCheck, EmptyProgramIsDenied) {
  EXPECT_THAT(Ask(Toml(), Command({"", "x"})), ElementsAre("command.invalid command[0]"));
}

TEST(CommandCheck, CountAndBytesAreBounded) {
  EXPECT_THAT(Ask(Toml(), Command(std::vector<std::string>(1024, "x"))), IsEmpty());
  EXPECT_THAT(Ask(Toml(), Command(std::vector<std::string>(1025, "x"))),
              ElementsAre("command.too-large command"));
  EXPECT_THAT(Ask(Toml(), Command({std::string(100000, 'x'), std::string(100000, 'x'),
                                   std::string(100000, 'x')})),
              ElementsAre("command.too-large command"));
  EXPECT_THAT(Ask(Toml(), Command({std::string(131072, 'x')})),
              ElementsAre("command.invalid command[0]"));
}

TEST(EnvCheck, HomeIsTmpUnlessGiven) {
  EXPECT_THAT(Effective(Toml(), Env({})).env, ElementsAre(Pair("HOME", "/tmp")));
  EXPECT_THAT(Effective(Toml(), Env({{"HOME", "/data"}})).env, ElementsAre(Pair("HOME", "/data")));
}

TEST(EnvCheck, ValuesMayHoldLineBreaks) {
  EXPECT_THAT(Ask(Toml(), Env({{"A", "1\n2\r\n"}, {"B", ""}, {"a.b-c", "="}})), IsEmpty());
}

TEST(EnvCheck, BadNamesAreDenied) {
  EXPECT_THAT(Ask(Toml(), Env({{"", "x"}})), ElementsAre("env.name-invalid env['']"));
  EXPECT_THAT(Ask(Toml(), Env({{"A=B", "x"}})), ElementsAre("env.name-invalid env['A=B']"));
  EXPECT_THAT(Ask(Toml(), Env({{"A\nB", "x"}})), ElementsAre("env.name-invalid env['A\\x0aB']"));
  EXPECT_THAT(Ask(Toml(), Env({{"A\0B"s, "x"}})), ElementsAre("env.name-invalid env['A\\x00B']"));
  EXPECT_THAT(Ask(Toml(), Env({{std::string(257, 'A'), "x"}})), ::testing::SizeIs(1));
}

TEST(EnvCheck, ValueWithNulIsDeniedWithoutShowingIt) {
  const auto set = LoadSet(Toml());
  const Decision decision =
      Evaluate(*set->Find("default"), Env({{"TOKEN", "s3cret\0"s}}), FakeHostPaths());
  ASSERT_EQ(decision.violations().size(), 1U);
  const Violation& violation = decision.violations()[0];
  EXPECT_EQ(violation.rule, "env.value-invalid");
  EXPECT_EQ((violation.field + violation.message + violation.remedy).find("s3cret"),
            std::string::npos);
}

TEST(EnvCheck, CountAndBytesAreBounded) {
  std::map<std::string, std::string> env;
  for (int i = 0; i < 256; ++i) env["N" + std::to_string(i)] = "x";
  EXPECT_THAT(Ask(Toml(), Env(env)), IsEmpty());
  env["ONE_MORE"] = "x";
  EXPECT_THAT(Ask(Toml(), Env(env)), ElementsAre("env.too-large env"));
  EXPECT_THAT(Ask(Toml(), Env({{"A", std::string(100000, 'x')},
                               {"B", std::string(100000, 'x')},
                               {"C", std::string(100000, 'x')}})),
              ElementsAre("env.too-large env"));
}

TEST(WorkingDirCheck, AbsoluteNormalPathOrNone) {
  for (const char* good : {"", "/", "/data", "/data/x y"}) {
    EXPECT_THAT(Ask(Toml(), WorkingDir(good)), IsEmpty()) << good;
  }
  for (const std::string& bad :
       {"data"s, "/a/../b"s, "/a/"s, "//a"s, "/a/./b"s, "/a\0b"s, "/a\n"s}) {
    EXPECT_THAT(Ask(Toml(), WorkingDir(bad)), ElementsAre("working-dir.invalid workingDir")) << bad;
  }
}

TEST(UserCheck, DefaultIsNobody) {
  EXPECT_EQ(Effective(Toml(), AdmittedSpec()).user, (UserId{65534, 65534}));
}

TEST(UserCheck, GidDefaultsToUid) {
  EXPECT_EQ(Effective(Toml(), User("1000")).user, (UserId{1000, 1000}));
  EXPECT_EQ(Effective(Toml(), User("1000:2000")).user, (UserId{1000, 2000}));
  EXPECT_EQ(Effective(Toml(), User("2147483647")).user, (UserId{2147483647, 2147483647}));
}

TEST(UserCheck, OnlyPlainDecimals) {
  for (const std::string& bad : {"root"s, "1000:staff"s, "01"s, "1000:"s, ":1000"s, "1:2:3"s, "-1"s,
                                 "+1"s, " 1"s, "1 "s, "1.0"s, "0x1"s, "2147483648"s, "4294967295"s,
                                 "99999999999999999999"s, "1\n"s, "00"s, "1\0"s}) {
    EXPECT_THAT(Ask(Toml(), User(bad)), ElementsAre("user.invalid user")) << bad;
  }
}

TEST(UserCheck, RootNeedsLeave) {
  for (const char* root : {"0", "0:0", "0:1000", "1000:0"}) {
    EXPECT_THAT(Ask(Toml(), User(root)), ElementsAre("user.root user")) << root;
    EXPECT_THAT(Ask(Toml("[user]\nallow_root = true\n"), User(root)), IsEmpty()) << root;
  }
}

}  // namespace
}  // namespace tidewaiter::policy
