#include "broker/kubernetes/quantity.h"

#include <gtest/gtest.h>

namespace tidewaiter::kubernetes {
namespace {

TEST(QuantityTest, SuffixesAreThoseOfKubernetes) {
  EXPECT_EQ(QuantityMillis("1500m"), 1500);
  EXPECT_EQ(QuantityMillis("2"), 2000);
  EXPECT_EQ(QuantityMillis("3k"), 3'000'000);
  EXPECT_EQ(QuantityMillis("64M"), 64'000'000'000);
  EXPECT_EQ(QuantityMillis("1G"), 1'000'000'000'000);
  EXPECT_EQ(QuantityMillis("1T"), 1'000'000'000'000'000);
  EXPECT_EQ(QuantityMillis("1P"), 1'000'000'000'000'000'000);
  EXPECT_EQ(QuantityMillis("1Ki"), 1'024'000);
  EXPECT_EQ(QuantityMillis("64Mi"), 67'108'864'000);
  EXPECT_EQ(QuantityMillis("1Gi"), 1'073'741'824'000);
  EXPECT_EQ(QuantityMillis("1Ti"), 1'099'511'627'776'000);
  EXPECT_EQ(QuantityMillis("1Pi"), 1'125'899'906'842'624'000);
  EXPECT_EQ(QuantityMillis("0"), 0);
}

TEST(QuantityTest, WhatTheServerWritesOfAWholeAmountIsTheSameAmount) {
  EXPECT_EQ(QuantityMillis("2"), QuantityMillis("2000m"));
  EXPECT_EQ(QuantityMillis("64M"), QuantityMillis("64000000"));
  EXPECT_NE(QuantityMillis("64M"), QuantityMillis("64Mi"));
}

TEST(QuantityTest, OtherFormsAreNone) {
  for (const char* text : {"", "m", "Mi", "-1", "1.5", "1e3", "1K", "1mi", "1 M", " 1", "1M ",
                           "0x10", "1MiB", "ten"}) {
    EXPECT_EQ(QuantityMillis(text), std::nullopt) << text;
  }
}

TEST(QuantityTest, WhatOverflowsIsNone) {
  EXPECT_EQ(QuantityMillis("9223372036854775"), 9'223'372'036'854'775'000);
  EXPECT_EQ(QuantityMillis("9223372036854776"), std::nullopt);
  EXPECT_EQ(QuantityMillis("9223372036854775807m"), 9'223'372'036'854'775'807);
  EXPECT_EQ(QuantityMillis("9223372036854775808m"), std::nullopt);
  EXPECT_EQ(QuantityMillis("9000Pi"), std::nullopt);
}

}  // namespace
}  // namespace tidewaiter::kubernetes
