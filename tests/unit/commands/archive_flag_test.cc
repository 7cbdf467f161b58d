#include "client/commands/archive_flag.h"

#include <gtest/gtest.h>

namespace tidewaiter::cli {
namespace {

std::string Input(std::string_view text) {
  const auto flag = ParseInputFlag(text);
  return flag ? flag->name + "|" + flag->path + "|" + flag->target : flag.error().message;
}
std::string Output(std::string_view text) {
  const auto flag = ParseOutputFlag(text);
  return flag ? flag->name + "|" + flag->path + "|" + flag->target : flag.error().message;
}

TEST(InputFlag, ATargetBeginsAfterTheLastColonBeforeASlash) {
  EXPECT_EQ(Input("a=b:/c"), "a|b|/c");
  EXPECT_EQ(Input("a=b"), "a|b|");
  EXPECT_EQ(Input("a=-:/c"), "a|-|/c");
  EXPECT_EQ(Input("a=/b:x:/c/d"), "a|/b:x|/c/d");
  EXPECT_EQ(Input("a=b:/c:/d"), "a|b:/c|/d");
  EXPECT_EQ(Input("a=b=c:d"), "a|b=c:d|");
}

TEST(InputFlag, NeedsANameAndAPath) {
  for (const char* text : {"", "a", "=b", "a=", "a=:/c"}) {
    EXPECT_TRUE(Input(text).ends_with("expected NAME=PATH:/TARGET, or NAME=PATH for a mount"))
        << text;
  }
}

TEST(OutputFlag, ATargetBeginsWithASlashAndEndsBeforeTheFirstColon) {
  EXPECT_EQ(Output("a=/t:b"), "a|b|/t");
  EXPECT_EQ(Output("a=b"), "a|b|");
  EXPECT_EQ(Output("a=/b"), "a|/b|");
  EXPECT_EQ(Output("a=b:c"), "a|b:c|");
  EXPECT_EQ(Output("a=:/b:c"), "a|/b:c|");
  EXPECT_EQ(Output("a=/t:/b:c"), "a|/b:c|/t");
}

TEST(OutputFlag, NeedsANameAndAPathThatIsAFolder) {
  for (const char* text : {"", "a", "=b", "a=", "a=/t:", "a=:"}) {
    EXPECT_TRUE(Output(text).ends_with("expected NAME=/TARGET:PATH, or NAME=PATH for a mount"))
        << text;
  }
  EXPECT_EQ(Output("a=/t:-"), "read --output 'a=/t:-': PATH is a folder; stdout is the job's");
}

TEST(ArchiveFlags, ATargetAddsItsMount) {
  v1::RunSpec spec;
  ASSERT_TRUE(ApplyInputs({{"in", "p", "/in"}}, spec));
  ASSERT_TRUE(ApplyOutputs({{"out", "p", "/out"}}, spec));
  ASSERT_EQ(spec.mounts_size(), 2);
  EXPECT_EQ(spec.mounts(0).target(), "/in");
  EXPECT_EQ(spec.mounts(0).input().name(), "in");
  EXPECT_EQ(spec.mounts(1).target(), "/out");
  EXPECT_EQ(spec.mounts(1).output().name(), "out");
}

TEST(ArchiveFlags, WithoutATargetTheMountMustBeThere) {
  v1::RunSpec spec;
  EXPECT_FALSE(ApplyInputs({{"a", "p", ""}}, spec));
  EXPECT_FALSE(ApplyOutputs({{"a", "p", ""}}, spec));
  spec.add_mounts()->mutable_input()->set_name("a");
  EXPECT_TRUE(ApplyInputs({{"a", "p", ""}}, spec));
  EXPECT_FALSE(ApplyOutputs({{"a", "p", ""}}, spec));
  spec.add_mounts()->mutable_output()->set_name("a");
  EXPECT_TRUE(ApplyOutputs({{"a", "p", ""}}, spec));
  EXPECT_EQ(spec.mounts_size(), 2);
}

TEST(ArchiveFlags, ANameStandsOnce) {
  v1::RunSpec spec;
  EXPECT_FALSE(ApplyInputs({{"a", "p", "/1"}, {"a", "q", "/2"}}, spec));
  EXPECT_FALSE(ApplyOutputs({{"a", "p", "/1"}, {"a", "q", "/2"}}, spec));
}

// The broker would wait for it.
TEST(ArchiveFlags, AnInputOfTheSpecMustBeFilled) {
  v1::RunSpec spec;
  spec.add_mounts()->mutable_input()->set_name("a");
  const auto applied = ApplyInputs({}, spec);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().message,
            "read --input 'a': the spec has such a mount, and nothing fills it: give NAME=PATH");
}

}  // namespace
}  // namespace tidewaiter::cli
