#include "broker/rpc/event_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidewaiter::rpc {
namespace {

using run::OutputStream;

bool Push(EventQueue& queue, OutputStream stream, const std::string& text) {
  return queue.PushOutput(stream, std::as_bytes(std::span(text)));
}

EventQueue Released() {
  EventQueue queue;
  queue.ReleaseOutput(std::nullopt);
  return queue;
}

TEST(EventQueue, SmallWritesOfOneStreamBecomeOneMessage) {
  EventQueue queue = Released();
  Push(queue, OutputStream::kStdout, "a");
  Push(queue, OutputStream::kStdout, "b");
  Push(queue, OutputStream::kStderr, "c");
  Push(queue, OutputStream::kStdout, "d");
  std::vector<std::string> told;
  v1::RunEvent event;
  while (queue.Pop(event)) told.push_back(event.output().data());
  EXPECT_EQ(told, (std::vector<std::string>{"ab", "c", "d"}));
}

TEST(EventQueue, MessagesAreAtMost64KiBAndLoseNothing) {
  EventQueue queue = Released();
  std::string sent;
  for (int i = 0; i < 200'000; ++i) sent += static_cast<char>('a' + i % 26);
  Push(queue, OutputStream::kStdout, sent);
  std::string got;
  v1::RunEvent event;
  while (queue.Pop(event)) {
    EXPECT_LE(event.output().data().size(), EventQueue::kMaxMessageBytes);
    got += event.output().data();
  }
  EXPECT_EQ(got, sent);
}

TEST(EventQueue, IsFullAtItsBoundAndHasRoomAtHalf) {
  EventQueue queue = Released();
  // In four messages, of which the last is short of its 64 KiB.
  constexpr std::size_t kFits = EventQueue::kMaxOutputBytes - 4 * EventQueue::kEventOverhead - 1;
  EXPECT_TRUE(Push(queue, OutputStream::kStdout, std::string(kFits, 'x')));
  EXPECT_FALSE(Push(queue, OutputStream::kStdout, "x"));
  EXPECT_FALSE(queue.HasRoom());
  v1::RunEvent event;
  queue.Pop(event);
  EXPECT_FALSE(queue.HasRoom());
  queue.Pop(event);
  EXPECT_TRUE(queue.HasRoom());
}

TEST(EventQueue, AlternatingSingleBytesFillItAfterAThousandEvents) {
  EventQueue queue = Released();
  constexpr std::size_t kMostEvents = EventQueue::kMaxOutputBytes / EventQueue::kEventOverhead;
  std::size_t pushed = 0;
  bool going = true;
  while (going && pushed <= kMostEvents) {
    going = Push(queue, pushed % 2 == 0 ? OutputStream::kStdout : OutputStream::kStderr, "x");
    ++pushed;
  }
  EXPECT_FALSE(going);
  EXPECT_LE(pushed, kMostEvents);
}

TEST(EventQueue, TakingEverythingOutFreesAllThatWasCounted) {
  EventQueue queue = Released();
  v1::RunEvent event;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 500; ++i) {
      EXPECT_TRUE(Push(queue, i % 2 == 0 ? OutputStream::kStdout : OutputStream::kStderr, "x"));
    }
    EXPECT_TRUE(queue.HasRoom());
    while (queue.Pop(event)) {
    }
  }
  constexpr std::size_t kFits = EventQueue::kMaxOutputBytes - 4 * EventQueue::kEventOverhead - 1;
  EXPECT_TRUE(Push(queue, OutputStream::kStdout, std::string(kFits, 'x')));
}

TEST(EventQueue, OutputWaitsForStartedAndStartedGoesFirst) {
  EventQueue queue;
  Push(queue, OutputStream::kStdout, "early");
  v1::RunEvent event;
  EXPECT_FALSE(queue.Pop(event));
  v1::RunEvent started;
  started.mutable_started();
  queue.ReleaseOutput(started);
  ASSERT_TRUE(queue.Pop(event));
  EXPECT_TRUE(event.has_started());
  ASSERT_TRUE(queue.Pop(event));
  EXPECT_EQ(event.output().data(), "early");
}

v1::ImageProgress Progress(const std::string& layer, std::int64_t bytes) {
  v1::ImageProgress progress;
  progress.set_layer(layer);
  progress.set_status("Downloading");
  progress.set_current_bytes(bytes);
  return progress;
}

TEST(EventQueue, WaitingProgressOfALayerIsReplaced) {
  EventQueue queue;
  const auto now = EventQueue::Clock::now();
  queue.PushProgress(Progress("a", 1), now);
  queue.PushProgress(Progress("a", 2), now);
  v1::RunEvent event;
  ASSERT_TRUE(queue.Pop(event));
  EXPECT_EQ(event.image_progress().current_bytes(), 2);
  EXPECT_FALSE(queue.Pop(event));
}

TEST(EventQueue, ALayerIsToldOfAtMostEvery100Ms) {
  EventQueue queue;
  const auto now = EventQueue::Clock::now();
  v1::RunEvent event;
  queue.PushProgress(Progress("a", 1), now);
  ASSERT_TRUE(queue.Pop(event));
  queue.PushProgress(Progress("a", 2), now + std::chrono::milliseconds(99));
  EXPECT_FALSE(queue.Pop(event));
  queue.PushProgress(Progress("a", 3), now + std::chrono::milliseconds(100));
  EXPECT_TRUE(queue.Pop(event));
}

TEST(EventQueue, AnImageOfManyLayersIsBounded) {
  EventQueue queue;
  for (int i = 0; i < 10'000; ++i) {
    queue.PushProgress(Progress(std::to_string(i), 1), EventQueue::Clock::now());
  }
  std::size_t count = 0;
  v1::RunEvent event;
  while (queue.Pop(event)) ++count;
  EXPECT_EQ(count, EventQueue::kMaxProgress);
}

}  // namespace
}  // namespace tidewaiter::rpc
