// Any bytes as a spec file. What is read as a RunSpec is the same spec when it is written and read
// again, and becomes plain data or an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/run_spec.h"
#include "wire/spec_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidewaiter;
  const auto spec = wire::ParseSpecJson(std::string(data, data + size));
  if (!spec) {
    // Told beside the policy's violations, so each must be one.
    if (spec.error().list.empty()) std::abort();
    for (const policy::Violation& fault : spec.error().list) {
      if (!fault.rule.starts_with("spec.") || fault.message.empty()) std::abort();
    }
    return 0;
  }
  const auto plain = wire::FromProto(*spec);
  const std::string text = wire::SpecToJson(*spec);
  const auto again = wire::ParseSpecJson(text);
  if (!again) {
    // Escapes make a text longer, and there is a bound.
    if (text.size() <= wire::kMaxSpecJsonBytes) std::abort();
    return 0;
  }
  // Not as texts: protobuf writes a map in any order.
  const auto plain_again = wire::FromProto(*again);
  if (plain.has_value() != plain_again.has_value()) std::abort();
  if (plain && *plain_again != *plain) std::abort();
  return 0;
}
