// Apart from the tests: where a compiler sees both sides it takes free() for the wrong partner of
// operator new.
#include "tests/unit/policy/memory/allocated.h"

#include <cstdlib>
#include <new>

namespace {

thread_local std::uint64_t allocated = 0;

}  // namespace

// NOLINTBEGIN(cppcoreguidelines-no-malloc): what operator new is made of
void* operator new(std::size_t size) {
  allocated += size;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
// NOLINTEND(cppcoreguidelines-no-malloc)

namespace tidewaiter::testing {

std::uint64_t Allocated() noexcept {
  return allocated;
}

}  // namespace tidewaiter::testing
