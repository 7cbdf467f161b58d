// One detached run by itself: what it keeps of what it is told, and whom it wakes.
#include "broker/run/detached_run.h"

#include <gtest/gtest.h>

#include <memory>
#include <string_view>

#include "tests/support/fake_files.h"

namespace tidewaiter::testing {
namespace {

using run::DetachedRun;
using Of = DetachedRun::Watcher::Of;

class Counter final : public DetachedRun::Watcher {
 public:
  void OnChange() noexcept override { ++changes; }
  int changes = 0;
};

// Counts what is allocated and not freed.
template <typename T>
struct Counting {
  using value_type = T;
  explicit Counting(int& count) : count_(&count) {}
  template <typename U>
  explicit Counting(const Counting<U>& other) : count_(other.count_) {}
  T* allocate(std::size_t n) {
    ++*count_;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, std::size_t n) {
    --*count_;
    std::allocator<T>().deallocate(p, n);
  }
  template <typename U>
  bool operator==(const Counting<U>& other) const {
    return count_ == other.count_;
  }
  int* count_;
};

class DetachedRunTest : public ::testing::Test {
 protected:
  FakeTrace trace_;
  FakeFiles files_{trace_};
  DetachedRun run_{{.uid = 1, .gid = 1, .pid = 1, .principal = "alice"}, "k", files_, nullptr};
};

TEST_F(DetachedRunTest, PiecesOfAnOutputAreOneArchive) {
  for (const char* piece : {"a", "b"}) ASSERT_TRUE(run_.OnOutputPiece("first", piece));
  ASSERT_TRUE(run_.OnOutputEnd("first", {}, ""));
  ASSERT_TRUE(run_.OnOutputPiece("second", "c"));
  ASSERT_TRUE(run_.OnOutputEnd("second", {}, ""));
  EXPECT_EQ(files_.Archive("first"), "ab");
  EXPECT_EQ(files_.Archive("second"), "c");
}

TEST_F(DetachedRunTest, AnOutputThatBrokeOffIsNotKept) {
  ASSERT_TRUE(run_.OnOutputPiece("results", "half"));
  ASSERT_TRUE(run_.OnOutputEnd("results", {}, "broken"));
  EXPECT_FALSE(files_.HasArchive("results"));
}

TEST_F(DetachedRunTest, AnOutputOfNoPieceIsKept) {
  ASSERT_TRUE(run_.OnOutputEnd("results", {}, ""));
  EXPECT_TRUE(files_.HasArchive("results"));
}

TEST_F(DetachedRunTest, ALogThatGoesOnIsAsLongAsItWasFound) {
  files_.LeaveLog("1:begun", {.stdout_bytes = 5, .stderr_bytes = 0});
  EXPECT_EQ(run_.Resume(100, false).stdout_bytes, 5U);
  EXPECT_EQ(run_.Get().log_bytes, 7U);
}

TEST_F(DetachedRunTest, WhoeverWritesTheLogIsToldWhenItHasRoomAgain) {
  run_.Resume(100, false);
  int resumed = 0;
  run_.SetResume([&resumed] { ++resumed; });
  files_.ResumeLogs();
  EXPECT_EQ(resumed, 1);
  run_.SetResume({});
}

TEST_F(DetachedRunTest, ALogOfTooManyPiecesIsAtItsLimit) {
  run_.Resume(100, false);
  files_.LimitLogs();
  EXPECT_EQ(run_.OnAttachmentClosing().reason, "LOG_LIMIT");
}

TEST_F(DetachedRunTest, WhyItWasRefusedAndHowManyWereAheadIsKept) {
  run_.OnQueued(3);
  run_.OnRefused(Fail(ErrorCode::kResourceExhausted, "launch it: no place", "NO_CAPACITY"));
  EXPECT_EQ(run_.Get().queued, 3U);
  ASSERT_TRUE(run_.Get().refused);
  EXPECT_EQ(run_.Get().refused->Reason(), "NO_CAPACITY");
}

TEST_F(DetachedRunTest, WhoeverWatchesIsToldOfAllChangesOrOfTheEndAlone) {
  const auto all = std::make_shared<Counter>();
  const auto end = std::make_shared<Counter>();
  run_.Watch(all, Of::kAll);
  run_.Watch(end, Of::kEnd);
  run_.OnQueued(1);
  EXPECT_EQ(all->changes, 1);
  EXPECT_EQ(end->changes, 0);
  run_.OnDone();
  EXPECT_EQ(all->changes, 2);
  EXPECT_EQ(end->changes, 1);
}

// Else a run that goes on for days remembers everybody who ever looked at it.
TEST_F(DetachedRunTest, WhoeverWatchesNoMoreIsForgotten) {
  int there = 0;
  DetachedRun run({}, "k", files_, nullptr);  // goes before that
  for (int i = 0; i < 10; ++i) {
    run.Watch(std::allocate_shared<Counter>(Counting<Counter>(there)), Of::kAll);
  }
  EXPECT_EQ(there, 1);
}

}  // namespace
}  // namespace tidewaiter::testing
