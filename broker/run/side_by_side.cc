#include "broker/run/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/sized_thread.h"

namespace tidewaiter::run {
namespace {

constexpr std::size_t kStackBytes = std::size_t{256} * 1024;

}  // namespace

void SideBySide(std::size_t count, const std::function<void(std::size_t)>& step) {
  std::atomic<std::size_t> next = 0;
  const auto take = [&] {
    for (std::size_t i = next++; i < count; i = next++) step(i);
  };
  std::vector<SizedThread> others;  // joined at its end
  for (std::size_t i = 1; i < std::min(count, kMostSideBySide); ++i) {
    auto thread = SizedThread::Start(kStackBytes, std::stop_source(),
                                     [&take](const std::stop_token&) { take(); });
    if (!thread) break;
    others.push_back(*std::move(thread));
  }
  take();
}

}  // namespace tidewaiter::run
