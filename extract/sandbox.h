// What the worker gives up before it reads the first byte of an archive. Linux only.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace tidewaiter::extract {

// Whether the kernel has Landlock (since 5.13, where it is not switched off). FAILED_PRECONDITION
// where it cannot be asked.
Result<bool> HasLandlock();

struct SandboxLimits {
  std::uint64_t file_bytes = 0;  // of the largest file
  // Of data, private mappings included: what is resident stays below 32 MiB with it. Enough for a
  // window of 16 MiB, which is more than any tool takes unasked.
  std::uint64_t memory_bytes = std::uint64_t{28} << 20U;
  std::uint64_t cpu_seconds = 600;
  std::uint64_t open_files = 16;
};

struct Sandboxed {
  bool landlocked = false;
};

// For this thread, those that `start_threads` starts and all later ones; there is no way back.
// `start_threads` is called when all but the last of it is gone: no thread can be started
// afterwards, and it must return only when those that it starts run code of their own (the C
// library's own beginnings of a thread need system calls that are gone then). Gone afterwards:
// every capability, new privileges, core dumps, the sight of other files (Landlock, where the
// kernel has it: only `directory` can be written below), and every system call but the few that
// reading a descriptor, writing new files and listing folders takes (seccomp; any other one kills
// the process). FAILED_PRECONDITION where something could not be given up; `landlocked` says
// whether the kernel has Landlock.
Result<Sandboxed> EnterSandbox(int directory, const SandboxLimits& limits,
                               const std::function<void()>& start_threads = {});

}  // namespace tidewaiter::extract
