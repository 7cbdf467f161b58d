// Counts what this program takes from operator new, which allocated.cc replaces.
#pragma once

#include <cstdint>

namespace tidewaiter::testing {

// All bytes that this thread ever took, given back or not.
std::uint64_t Allocated() noexcept;

}  // namespace tidewaiter::testing
