#include "base/stack_trim.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace tidewaiter {

// For this frame and those of the calls in it, also where a sanitizer makes them larger.
constexpr std::uintptr_t kOwnBytes = 1024;

// A frame of its own: what lies below it is nobody's.
[[gnu::noinline]] void TrimStack() noexcept {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  void* lowest = nullptr;
  std::size_t size = 0;
  const int told = pthread_attr_getstack(&attributes, &lowest, &size);
  pthread_attr_destroy(&attributes);
  if (told != 0) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto bottom = reinterpret_cast<std::uintptr_t>(lowest);
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  if (here < bottom + kOwnBytes || here > bottom + size) return;
  const std::uintptr_t end = (here - kOwnBytes) / page * page;
  const std::uintptr_t begin = (bottom + page - 1) / page * page;
  if (end <= begin) return;
  // Pages that are touched again are zero (madvise(2)).
  ::madvise(static_cast<char*>(lowest) + (begin - bottom), end - begin, MADV_DONTNEED);
}

}  // namespace tidewaiter
