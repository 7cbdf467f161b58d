#include "broker/rpc/principal_places.h"

#include <gtest/gtest.h>

namespace tidewaiter::rpc {
namespace {

TEST(PrincipalPlaces, APrincipalGetsItsShareAndNoMore) {
  PrincipalPlaces places(2);
  const auto first = places.Take("auditor");
  const auto second = places.Take("auditor");
  EXPECT_NE(first, nullptr);
  EXPECT_NE(second, nullptr);
  EXPECT_EQ(places.Take("auditor"), nullptr);
}

TEST(PrincipalPlaces, OnePrincipalsFullShareLeavesTheOthersTheirs) {
  PrincipalPlaces places(1);
  const auto first = places.Take("auditor");
  EXPECT_EQ(places.Take("auditor"), nullptr);
  EXPECT_NE(places.Take("other"), nullptr);
}

TEST(PrincipalPlaces, APlaceThatIsLetGoOfIsFreeAgain) {
  PrincipalPlaces places(1);
  auto place = places.Take("auditor");
  place.reset();
  EXPECT_NE(places.Take("auditor"), nullptr);
}

}  // namespace
}  // namespace tidewaiter::rpc
