// docs/ARCHIVES.md is what scripts rely on: every code is there.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "extract/refusal.h"
#include "tests/support/project_file.h"

namespace tidewaiter::extract {
namespace {

TEST(ArchiveDocumentation, EveryCodeIsDescribed) {
  std::ifstream file(testing::ProjectFile("docs/ARCHIVES.md"));
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  int codes = 0;
  for (; ToString(static_cast<Code>(codes)) != "unknown"; ++codes) {
    const std::string code(ToString(static_cast<Code>(codes)));
    EXPECT_NE(page.find('`' + code + '`'), std::string::npos) << code;
  }
  EXPECT_GT(codes, 25);
}

}  // namespace
}  // namespace tidewaiter::extract
