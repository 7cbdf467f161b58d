// One header block of a tar archive, read strictly: v7, ustar (POSIX.1-2017 pax(1), "ustar
// Interchange Format") and GNU (its manual, "Basic Tar Format"). Where tar programs would read a
// field differently, there is no reading. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "extract/refusal.h"

namespace tidewaiter::extract {

inline constexpr std::size_t kTarBlock = 512;

struct TarHeader {
  std::string name;  // with ustar's prefix
  char type = '0';   // as it stands there; '\0' is an old archive's regular file
  std::uint64_t size = 0;
  std::uint32_t mode = 0;  // permission bits, twelve of them
};

// `block` has kTarBlock bytes and is not all zero. Refusals: not-a-tar, bad-checksum, ambiguous,
// nul.
Expected<TarHeader> ParseTarHeader(std::string_view block);

// Whether every byte is zero.
bool IsZero(std::string_view bytes) noexcept;

}  // namespace tidewaiter::extract
