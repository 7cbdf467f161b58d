// Any bytes as "RANGE\nRANGE\nVERSION". A version must print to what parses to the same version;
// what one range has inside another, the other must match too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/version_range.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidewaiter::policy;
  const std::string text(data, data + size);
  const std::size_t first = text.find('\n');
  const std::size_t second = first == std::string::npos ? first : text.find('\n', first + 1);
  const std::string_view all(text);
  const auto inner = VersionRange::Parse(all.substr(0, first));
  if (inner && !inner->IsSubsetOf(*inner)) std::abort();
  if (second == std::string::npos) return 0;
  const auto outer = VersionRange::Parse(all.substr(first + 1, second - first - 1));
  const auto version = ParseTagVersion(all.substr(second + 1));
  if (version) {
    const auto again = ParseVersion(version->ToString());
    if (!again || again->Compare(*version) != 0) std::abort();
  }
  if (!inner || !outer || !version) return 0;
  const bool inside = inner->IsSubsetOf(*outer);
  if (inside && inner->Matches(*version) && !outer->Matches(*version)) std::abort();
  return 0;
}
