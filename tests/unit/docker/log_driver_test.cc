#include "broker/docker/log_driver.h"

#include <gtest/gtest.h>

namespace tidewaiter::docker {
namespace {

TEST(LogDriverTest, LogIsKeptByteByByteAndBounded) {
  const Json config = KeptLogConfig(1'000'000);
  EXPECT_EQ(config["Type"], "local");
  EXPECT_EQ(config["Config"],
            (Json{{"compress", "false"}, {"max-file", "5"}, {"max-size", "1065536"}}));
}

TEST(LogDriverTest, AllFilesButOneAreSafe) {
  EXPECT_EQ(SafeLogBytes(KeptLogConfig(1'000'000)), 4U * 1'065'536);
}

TEST(LogDriverTest, WhatTheBrokerDidNotAskForIsNotSafe) {
  EXPECT_EQ(SafeLogBytes(NoLogConfig()), 0U);
  EXPECT_EQ(SafeLogBytes(Json()), 0U);
  Json config = KeptLogConfig(1000);
  config["Type"] = "json-file";
  EXPECT_EQ(SafeLogBytes(config), 0U);
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"max-file", "1"},
           {"max-file", "x"},
           {"max-file", ""},
           {"max-file", "1001"},
           {"max-size", "10m"},
           {"max-size", "-1"},
           {"max-size", "99999999999999999999"}}) {
    Json other = KeptLogConfig(1000);
    other["Config"][key] = value;
    EXPECT_EQ(SafeLogBytes(other), 0U) << key << value;
  }
}

}  // namespace
}  // namespace tidewaiter::docker
