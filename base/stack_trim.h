// Gives the memory of a stack back that deeper calls have used, and that a thread which is about to
// wait for hours does not need.
#pragma once

namespace tidewaiter {

// The calling thread's, whoever has started it. Nothing that is in use is touched; where the
// stack's bounds cannot be told, nothing happens.
void TrimStack() noexcept;

}  // namespace tidewaiter
