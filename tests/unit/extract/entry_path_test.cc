#include "extract/entry_path.h"

#include <gtest/gtest.h>

namespace tidewaiter::extract {
namespace {

// The path, or the refusal's code.
std::string PathOf(std::string_view name, bool is_folder = false, const Limits& limits = {}) {
  const auto path = ToEntryPath(name, is_folder, limits);
  return path ? "'" + *path + "'" : std::string(ToString(path.error().code));
}

TEST(EntryPath, OrdinaryNamesAreKeptAsTheyAre) {
  for (const std::string name : {"a", "a/b", "A/a", "...", ".hidden", "a b", "a\\b", "-rf", "~",
                                 "gr\xC3\xBC\xC3\x9F"
                                 "e",
                                 "gru\xCC\x88\xC3\x9F"
                                 "e",
                                 "a:b*?"}) {
    EXPECT_EQ(PathOf(name), "'" + name + "'");
  }
}

TEST(EntryPath, DotPrefixesAreDropped) {
  EXPECT_EQ(PathOf("./a"), "'a'");
  EXPECT_EQ(PathOf("././a/./b"), "'a/b'");
  EXPECT_EQ(PathOf("./", true), "''");
  EXPECT_EQ(PathOf(".", true), "''");
}

TEST(EntryPath, EmptyComponentsAreDropped) {
  EXPECT_EQ(PathOf("a//b"), "'a/b'");
  EXPECT_EQ(PathOf("a///b//c"), "'a/b/c'");
  EXPECT_EQ(PathOf(".//a"), "'a'");
  EXPECT_EQ(PathOf(".//", true), "''");
  EXPECT_EQ(PathOf("a//..//b"), "dot-dot");
}

TEST(EntryPath, AFoldersFinalSlashesAreDropped) {
  EXPECT_EQ(PathOf("a/", true), "'a'");
  EXPECT_EQ(PathOf("a/b/", true), "'a/b'");
  EXPECT_EQ(PathOf("a//", true), "'a'");
}

TEST(EntryPath, WhatLeavesTheDestinationIsRefused) {
  EXPECT_EQ(PathOf("/a"), "absolute");
  EXPECT_EQ(PathOf("/", true), "absolute");
  EXPECT_EQ(PathOf("//a"), "absolute");
  for (const char* name : {"..", "../a", "a/..", "a/../b", "./..", "a/b/../../.."}) {
    EXPECT_EQ(PathOf(name), "dot-dot") << name;
  }
  EXPECT_EQ(PathOf("../", true), "dot-dot");
}

TEST(EntryPath, FilesWithoutANameAreRefused) {
  EXPECT_EQ(PathOf(""), "empty-name");
  EXPECT_EQ(PathOf("a/"), "empty-name");
  EXPECT_EQ(PathOf("a//"), "empty-name");
  EXPECT_EQ(PathOf("./"), "empty-name");
  EXPECT_EQ(PathOf("."), "empty-name");
}

TEST(EntryPath, BytesThatMisleadAreRefused) {
  EXPECT_EQ(PathOf(std::string_view("a\0b", 3)), "nul");
  EXPECT_EQ(PathOf("a\nb"), "control-character");
  EXPECT_EQ(PathOf("a\x1b[2J"), "control-character");
  EXPECT_EQ(PathOf("a\x7f"), "control-character");
  EXPECT_EQ(PathOf("a\xff"), "not-utf8");
  EXPECT_EQ(PathOf("a\xc0\xaf"), "not-utf8");  // an overlong slash
}

TEST(EntryPath, LengthsAreBounded) {
  EXPECT_EQ(PathOf(std::string(255, 'a')), "'" + std::string(255, 'a') + "'");
  EXPECT_EQ(PathOf(std::string(256, 'a')), "component-too-long");
  const Limits limits{.max_depth = 2, .max_path = 5};
  EXPECT_EQ(PathOf("ab/cd", false, limits), "'ab/cd'");
  EXPECT_EQ(PathOf("ab/cde", false, limits), "path-too-long");
  EXPECT_EQ(PathOf("a/b/c", false, limits), "too-deep");
}

// GNU tar and Python hand all of it to the kernel, which takes 4,095 bytes.
TEST(EntryPath, WhatIsDroppedIsBoundedToo) {
  const Limits limits{.max_path = 5};
  EXPECT_EQ(PathOf("a////////b", false, limits), "'a/b'");
  EXPECT_EQ(PathOf("a//////////b", false, limits), "path-too-long");
  EXPECT_EQ(PathOf("././././././a", false, limits), "path-too-long");
}

TEST(EntryPath, ARefusalNamesTheEntryEscaped) {
  EXPECT_EQ(ToEntryPath("a\nb", false, {}).error().entry, "a\\x0ab");
}

}  // namespace
}  // namespace tidewaiter::extract
