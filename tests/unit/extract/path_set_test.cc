// What came before, by its digest.
#include "extract/path_set.h"

#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::extract {
namespace {

TEST(PathSet, FindsWhatWasAddedAndNothingElse) {
  PathSet paths;
  for (int i = 0; i < 10'000; ++i) {
    paths.Add("p" + std::to_string(i), i % 2 == 0 ? PathKind::kFile : PathKind::kFolder);
  }
  EXPECT_EQ(paths.size(), 10'000U);
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(paths.Find("p" + std::to_string(i)),
              i % 2 == 0 ? PathKind::kFile : PathKind::kFolder);
    ASSERT_EQ(paths.Find("q" + std::to_string(i)), std::nullopt);
  }
}

TEST(PathSet, AKindCanChange) {
  PathSet paths;
  paths.Add("a", PathKind::kImpliedFolder);
  paths.Add("a", PathKind::kFolder);
  EXPECT_EQ(paths.Find("a"), PathKind::kFolder);
  EXPECT_EQ(paths.size(), 1U);
}

}  // namespace
}  // namespace tidewaiter::extract
