#include "base/stack_trim.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <vector>

#include "base/sized_thread.h"

namespace tidewaiter {
namespace {

constexpr std::size_t kStack = std::size_t{1} << 20U;
constexpr std::size_t kDeep = std::size_t{512} << 10U;

// Of the calling thread's stack, in memory.
std::size_t ResidentBytes() {
  pthread_attr_t attributes;
  EXPECT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
  void* lowest = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(pthread_attr_getstack(&attributes, &lowest, &size), 0);
  pthread_attr_destroy(&attributes);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(lowest) + page - 1) / page * page;
  std::vector<unsigned char> pages(size / page);
  EXPECT_EQ(::mincore(reinterpret_cast<void*>(begin), pages.size() * page, pages.data()), 0);
  return page * static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(),
                                                       [](auto is) { return (is & 1) != 0; }));
}

[[gnu::noinline]] void GoDeep() {
  std::array<unsigned char, kDeep> used;  // NOLINT: to be written, not read
  volatile unsigned char* const at = used.data();
  for (std::size_t i = 0; i < kDeep; i += 512) at[i] = 1;
}

TEST(TrimStack, GivesBackWhatDeeperCallsHaveUsedAndNothingElse) {
  std::size_t before = 0;
  std::size_t after = 0;
  bool intact = false;
  {
    const auto thread = SizedThread::Start(kStack, std::stop_source(), [&](const std::stop_token&) {
      std::array<std::uint32_t, 16384> mine{};
      for (std::size_t i = 0; i < mine.size(); ++i) mine.at(i) = static_cast<std::uint32_t>(i);
      GoDeep();
      before = ResidentBytes();
      TrimStack();
      after = ResidentBytes();
      intact = true;
      for (std::size_t i = 0; i < mine.size(); ++i) intact = intact && mine.at(i) == i;
    });
    ASSERT_TRUE(thread.has_value());
  }
  EXPECT_GE(before, kDeep);
  EXPECT_LE(after, before - kDeep / 2);
  EXPECT_TRUE(intact);
}

TEST(TrimStack, StackCanBeUsedAgain) {
  bool done = false;
  {
    const auto thread = SizedThread::Start(kStack, std::stop_source(), [&](const std::stop_token&) {
      for (int i = 0; i < 3; ++i) {
        GoDeep();
        TrimStack();
      }
      done = true;
    });
    ASSERT_TRUE(thread.has_value());
  }
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace tidewaiter
