// What tests do with an event loop: run something on its thread and wait for the result.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>

#include "base/completion.h"
#include "base/deadline.h"
#include "broker/io/event_loop.h"

namespace tidewaiter::io {

// Longer than anything takes that works.
inline Deadline Soon() {
  return Deadline::After(std::chrono::seconds(20));
}

inline std::unique_ptr<EventLoop> StartLoop() {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Start();
  EXPECT_TRUE(loop.has_value());
  return std::move(loop).value_or(nullptr);
}

// Runs `task` on the loop's thread and waits for its end.
inline void OnLoop(EventLoop& loop, std::function<void()> task) {
  const auto done = std::make_shared<Completion<bool>>();
  loop.Post([task = std::move(task), done] {
    task();
    done->Set(true);
  });
  ASSERT_TRUE(done->Wait({}, Soon()).has_value());
}

// How often the loop has gone round in `time`, this function's own two turns included.
inline std::uint64_t BeatsWithin(EventLoop& loop, std::chrono::milliseconds time) {
  const auto done = std::make_shared<Completion<std::uint64_t>>();
  loop.Post([&loop, time, done] {
    const std::uint64_t before = loop.Beats();
    loop.CallAt(Deadline::After(time), [&loop, before, done] { done->Set(loop.Beats() - before); });
  });
  return done->Wait({}, Soon()).value_or(0);
}

}  // namespace tidewaiter::io
