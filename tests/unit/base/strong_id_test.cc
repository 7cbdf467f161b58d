#include "base/strong_id.h"

#include <gtest/gtest.h>

#include <set>
#include <type_traits>

namespace tidewaiter {
namespace {

TEST(StrongId, KindsDoNotMix) {
  EXPECT_FALSE((std::is_convertible_v<RunId, BrokerId>));
  EXPECT_FALSE((std::is_convertible_v<std::string, RunId>));
}

TEST(RandomId, HasTheFormThatIsReadBack) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(IsRandomId(RandomId()));
}

TEST(RandomId, DoesNotRepeat) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(RandomId());
  EXPECT_EQ(ids.size(), 1000U);
}

TEST(IsRandomId, RefusesWhatCouldBeAnotherName) {
  const std::string id = RandomId();
  EXPECT_FALSE(IsRandomId(""));
  EXPECT_FALSE(IsRandomId(".."));
  EXPECT_FALSE(IsRandomId(id + "a"));
  EXPECT_FALSE(IsRandomId(id.substr(1)));
  EXPECT_FALSE(IsRandomId(std::string(1, '/') + id.substr(1)));
  EXPECT_FALSE(IsRandomId(std::string(1, 'A') + id.substr(1)));
  EXPECT_FALSE(IsRandomId(std::string(1, '\0') + id.substr(1)));
}

}  // namespace
}  // namespace tidewaiter
