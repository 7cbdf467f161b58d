#include "broker/rpc/reader_places.h"

#include <gtest/gtest.h>

namespace tidewaiter::rpc {
namespace {

TEST(ReaderPlaces, APrincipalGetsItsShareAndNoMore) {
  ReaderPlaces places(2);
  const auto first = places.Take("auditor");
  const auto second = places.Take("auditor");
  EXPECT_NE(first, nullptr);
  EXPECT_NE(second, nullptr);
  EXPECT_EQ(places.Take("auditor"), nullptr);
}

TEST(ReaderPlaces, OnePrincipalsFullShareLeavesTheOthersTheirs) {
  ReaderPlaces places(1);
  const auto first = places.Take("auditor");
  EXPECT_EQ(places.Take("auditor"), nullptr);
  EXPECT_NE(places.Take("other"), nullptr);
}

TEST(ReaderPlaces, APlaceThatIsLetGoOfIsFreeAgain) {
  ReaderPlaces places(1);
  auto place = places.Take("auditor");
  place.reset();
  EXPECT_NE(places.Take("auditor"), nullptr);
}

}  // namespace
}  // namespace tidewaiter::rpc
