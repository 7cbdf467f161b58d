#include "base/sized_thread.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include "base/completion.h"

namespace tidewaiter {
namespace {

constexpr std::size_t kStack = std::size_t{256} * 1024;

TEST(SizedThread, DestructionStopsAndJoins) {
  bool stopped = false;
  {
    auto thread = SizedThread::Start(kStack, std::stop_source(), [&](const std::stop_token& stop) {
      Completion<bool>().Wait(stop, Deadline::Never());
      stopped = stop.stop_requested();
    });
    ASSERT_TRUE(thread.has_value());
  }
  EXPECT_TRUE(stopped);
}

TEST(SizedThread, SharesTheCallersStopSource) {
  std::stop_source stop;
  Completion<bool> ended;
  auto thread = SizedThread::Start(kStack, stop, [&](const std::stop_token& token) {
    Completion<bool>().Wait(token, Deadline::Never());
    ended.Set(true);
  });
  stop.request_stop();
  EXPECT_TRUE(ended.Wait({}, Deadline::Never()).has_value());
}

TEST(SizedThread, HasTheStackThatWasAskedFor) {
  std::size_t bytes = 0;
  {
    auto thread = SizedThread::Start(kStack, std::stop_source(), [&](const std::stop_token&) {
      pthread_attr_t attributes;
      pthread_getattr_np(pthread_self(), &attributes);
      pthread_attr_getstacksize(&attributes, &bytes);
      pthread_attr_destroy(&attributes);
    });
  }
  EXPECT_GE(bytes, kStack);
  EXPECT_LT(bytes, std::size_t{8} * 1024 * 1024);
}

TEST(SizedThread, ImpossibleStackIsAnError) {
  const auto thread = SizedThread::Start(std::numeric_limits<std::size_t>::max() / 2,
                                         std::stop_source(), [](const std::stop_token&) {});
  EXPECT_FALSE(thread.has_value());
}

TEST(SizedThread, MovedFromThreadIsNotJoinedTwice) {
  auto thread = SizedThread::Start(kStack, std::stop_source(), [](const std::stop_token&) {});
  ASSERT_TRUE(thread.has_value());
  SizedThread first = *std::move(thread);
  SizedThread second = std::move(first);
  first = std::move(second);
}

}  // namespace
}  // namespace tidewaiter
