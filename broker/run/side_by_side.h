// The same step for many things at once, for what an engine is slow at one by one: it removes a
// container in a tenth of a second, and thirty in not much more, since nearly all of that is a wait
// in its kernel.
#pragma once

#include <cstddef>
#include <functional>

namespace tidewaiter::run {

// Below the 50 that `docker rm` has under way.
inline constexpr std::size_t kMostSideBySide = 32;

// Calls `step(i)` once for each i below `count`, the lower ones first, at most kMostSideBySide at a
// time: on this thread, and on others that have ended when it returns. Where the system gives no
// thread, with fewer. `step` must not throw.
void SideBySide(std::size_t count, const std::function<void(std::size_t)>& step);

}  // namespace tidewaiter::run
