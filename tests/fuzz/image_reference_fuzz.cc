// Any bytes as an image reference. What parses must be canonical: its text parses to the same
// value, and holds no byte that could mean something to a shell, a URL or a log.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/image_reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidewaiter::policy;
  const std::string text(data, data + size);
  const auto image = ParseImageReference(text);
  if (!image) return 0;
  const std::string canonical = image->Canonical();
  const auto again = ParseImageReference(canonical);
  if (!again || *again != *image || again->Canonical() != canonical) std::abort();
  for (const char c : canonical) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("._-/:@[]").find(c) != std::string_view::npos;
    if (!plain) std::abort();
  }
  if (image->Name().size() > 255) std::abort();
  return 0;
}
