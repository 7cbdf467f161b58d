// The WWW-Authenticate header of a registry.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "broker/registry/auth_challenge.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The text of bytes is what a char is for.
  const std::string_view header(reinterpret_cast<const char*>(data), size);
  const auto challenge = tidewaiter::registry::ParseAuthChallenge(header);
  if (challenge && challenge->realm.size() > size) std::abort();
  return 0;
}
