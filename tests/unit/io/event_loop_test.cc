#include "broker/io/event_loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/unit/io/on_loop.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

// A loop is each test's last local where tasks refer to the others: it goes first.
struct Pair {
  Pair() {
    std::array<int, 2> fds{-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
    ours = UniqueFd(fds[0]);
    theirs = UniqueFd(fds[1]);
  }
  void MakeReadable() const { EXPECT_EQ(::write(theirs.get(), "x", 1), 1); }

  UniqueFd ours;
  UniqueFd theirs;
};

TEST(EventLoopTest, TasksOfOneThreadRunInTheOrderOfPosting) {
  const auto loop = StartLoop();
  std::vector<int> order;
  for (int i = 0; i < 5000; ++i) loop->Post([&order, i] { order.push_back(i); });
  OnLoop(*loop, [] {});
  ASSERT_EQ(order.size(), 5000U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(EventLoopTest, EveryTaskOfManyThreadsRunsOnce) {
  const auto loop = StartLoop();
  int runs = 0;  // the loop's thread alone
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) loop->Post([&runs] { ++runs; });
    });
  }
  threads.clear();
  OnLoop(*loop, [&] { EXPECT_EQ(runs, 16000); });
}

TEST(EventLoopTest, OnlyItsOwnThreadIsTheLoopThread) {
  const auto loop = StartLoop();
  const auto other = StartLoop();
  EXPECT_FALSE(loop->OnLoopThread());
  OnLoop(*loop, [&] {
    EXPECT_TRUE(loop->OnLoopThread());
    EXPECT_FALSE(other->OnLoopThread());
  });
}

TEST(EventLoopTest, TakesNoSignals) {
  const auto loop = StartLoop();
  OnLoop(*loop, [] {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    EXPECT_EQ(sigismember(&blocked, SIGPIPE), 1);
    EXPECT_EQ(sigismember(&blocked, SIGTERM), 1);
  });
}

TEST(EventLoopTest, TimersRunInTheOrderInWhichTheyAreDue) {
  std::vector<int> order;
  Completion<bool> last;
  const auto loop = StartLoop();
  loop->Post([&] {
    const auto now = Deadline::Clock::now();
    loop->CallAt(Deadline::At(now + milliseconds(15)), [&] {
      order.push_back(3);
      last.Set(true);
    });
    loop->CallAt(Deadline::At(now + milliseconds(5)), [&] { order.push_back(1); });
    loop->CallAt(Deadline::At(now + milliseconds(10)), [&] { order.push_back(2); });
  });
  ASSERT_TRUE(last.Wait({}, Soon()));
  OnLoop(*loop, [&] { EXPECT_THAT(order, ElementsAre(1, 2, 3)); });
}

TEST(EventLoopTest, ATimerDoesNotRunBeforeItIsDue) {
  Completion<Deadline::Clock::time_point> ran;
  const auto loop = StartLoop();
  const auto due = Deadline::Clock::now() + milliseconds(30);
  loop->Post([&] { loop->CallAt(Deadline::At(due), [&] { ran.Set(Deadline::Clock::now()); }); });
  const auto at = ran.Wait({}, Soon());
  ASSERT_TRUE(at.has_value());
  EXPECT_GE(*at, due);
}

TEST(EventLoopTest, ATimerCancelsAnotherThatIsDueInTheSameTurn) {
  const auto loop = StartLoop();
  bool cancelled_ran = false;
  OnLoop(*loop, [&] {
    const auto due = Deadline::After({});
    const auto second = std::make_shared<EventLoop::TimerId>(0);
    loop->CallAt(due, [&, second] { loop->CancelTimer(*second); });
    *second = loop->CallAt(due, [&] { cancelled_ran = true; });
  });
  BeatsWithin(*loop, milliseconds(5));
  OnLoop(*loop, [&] { EXPECT_FALSE(cancelled_ran); });
}

TEST(EventLoopTest, ATimerThatRenewsItselfAtOnceLeavesTurnsToDescriptors) {
  const Pair pair;
  Completion<bool> read;
  std::function<void()> renew;
  const auto loop = StartLoop();
  renew = [&] { loop->CallAt(Deadline::After({}), [&] { renew(); }); };
  loop->Post([&] {
    renew();
    ASSERT_TRUE(loop->Watch(pair.ours.get(), EPOLLIN, [&](std::uint32_t) {
      loop->Unwatch(pair.ours.get());
      read.Set(true);
    }));
  });
  pair.MakeReadable();
  EXPECT_TRUE(read.Wait({}, Soon()));
}

TEST(EventLoopTest, AWatchRemovesItselfInItsCallback) {
  const auto loop = StartLoop();
  const Pair pair;
  pair.MakeReadable();
  int calls = 0;
  std::string after;
  OnLoop(*loop, [&] {
    ASSERT_TRUE(loop->Watch(pair.ours.get(), EPOLLIN,
                            [&, text = std::string("capture outlives the watch")](std::uint32_t) {
                              loop->Unwatch(pair.ours.get());
                              after = text;
                              ++calls;
                            }));
  });
  BeatsWithin(*loop, milliseconds(10));
  OnLoop(*loop, [&] {
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(after, "capture outlives the watch");
  });
}

TEST(EventLoopTest, AWatchThatAnotherCallbackOfTheSameTurnRemovedIsNotCalled) {
  const auto loop = StartLoop();
  const Pair first;
  const Pair second;
  first.MakeReadable();
  second.MakeReadable();
  int calls = 0;
  OnLoop(*loop, [&] {
    const auto remove_both = [&](std::uint32_t) {
      ++calls;
      loop->Unwatch(first.ours.get());
      loop->Unwatch(second.ours.get());
    };
    ASSERT_TRUE(loop->Watch(first.ours.get(), EPOLLIN, remove_both));
    ASSERT_TRUE(loop->Watch(second.ours.get(), EPOLLIN, remove_both));
  });
  BeatsWithin(*loop, milliseconds(10));
  OnLoop(*loop, [&] { EXPECT_EQ(calls, 1); });
}

TEST(EventLoopTest, ANewWatchOfAReusedNumberDoesNotGetItsPredecessorsEvents) {
  std::array<Pair, 2> old;
  const Pair quiet;
  for (const Pair& pair : old) pair.MakeReadable();
  int stale = 0;
  const auto loop = StartLoop();  // ends before what its watches refer to
  OnLoop(*loop, [&] {
    // Whichever comes first puts a descriptor on which nothing happens in the place of the other.
    const auto replace = [&](Pair& other) {
      const int number = other.ours.get();
      loop->Unwatch(number);
      ASSERT_EQ(::dup3(quiet.ours.get(), number, O_CLOEXEC), number);
      ASSERT_TRUE(loop->Watch(number, EPOLLIN, [&](std::uint32_t) { ++stale; }));
    };
    for (std::size_t i : {0U, 1U}) {
      ASSERT_TRUE(loop->Watch(old.at(i).ours.get(), EPOLLIN, [&, i, replace](std::uint32_t) {
        loop->Unwatch(old.at(i).ours.get());
        replace(old.at(1 - i));
      }));
    }
  });
  BeatsWithin(*loop, milliseconds(10));
  OnLoop(*loop, [&] { EXPECT_EQ(stale, 0); });
}

TEST(EventLoopTest, ADescriptorIsWatchedOnceOnly) {
  const auto loop = StartLoop();
  const Pair pair;
  OnLoop(*loop, [&] {
    ASSERT_TRUE(loop->Watch(pair.ours.get(), EPOLLIN, [](std::uint32_t) {}));
    const auto again = loop->Watch(pair.ours.get(), EPOLLIN, [](std::uint32_t) {});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists);
  });
}

TEST(EventLoopTest, ARearmedWatchSeesWhatHappenedWhileItHadNoEvents) {
  const Pair pair;
  pair.MakeReadable();
  Completion<bool> read;
  const auto loop = StartLoop();
  OnLoop(*loop, [&] {
    ASSERT_TRUE(loop->Watch(pair.ours.get(), 0, [&](std::uint32_t) {
      loop->Unwatch(pair.ours.get());
      read.Set(true);
    }));
  });
  BeatsWithin(*loop, milliseconds(10));
  EXPECT_FALSE(read.Peek());
  OnLoop(*loop, [&] { ASSERT_TRUE(loop->Rearm(pair.ours.get(), EPOLLIN)); });
  EXPECT_TRUE(read.Wait({}, Soon()));
}

TEST(EventLoopTest, StandsStillWhileNothingIsDue) {
  const auto loop = StartLoop();
  const Pair pair;
  OnLoop(*loop, [&] {
    ASSERT_TRUE(loop->Watch(pair.ours.get(), EPOLLIN, [](std::uint32_t) {}));
    loop->CallAt(Deadline::Never(), [] {});
    loop->CallAt(Deadline::After(std::chrono::hours(1)), [] {});
  });
  EXPECT_LE(BeatsWithin(*loop, milliseconds(100)), 4U);
}

TEST(EventLoopTest, AHangUpDoesNotKeepAWatchWithoutEventsBusy) {
  const auto loop = StartLoop();
  Pair pair;
  int calls = 0;
  OnLoop(*loop, [&] {
    ASSERT_TRUE(loop->Watch(pair.ours.get(), EPOLLIN, [&](std::uint32_t) { ++calls; }));
    ASSERT_TRUE(loop->Rearm(pair.ours.get(), 0));
  });
  pair.theirs.Reset();
  EXPECT_LE(BeatsWithin(*loop, milliseconds(100)), 4U);
  OnLoop(*loop, [&] { EXPECT_EQ(calls, 0); });
}

TEST(EventLoopTest, WhatIsPostedForEverEndsWithTheLoop) {
  auto loop = StartLoop();
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  std::function<void()> again;
  EventLoop* const raw = loop.get();
  again = [&again, raw, held = std::move(held)] { raw->Post([&again, held] { again(); }); };
  loop->Post([&again] { again(); });
  loop.reset();
  again = nullptr;
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace tidewaiter::io
