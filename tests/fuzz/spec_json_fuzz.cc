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
  static_cast<void>(wire::FromProto(*spec));
  const std::string text = wire::SpecToJson(*spec);
  const auto again = wire::ParseSpecJson(text);
  if (!again) {
    // Escapes make a text longer, and there is a bound.
    if (text.size() <= wire::kMaxSpecJsonBytes) std::abort();
    return 0;
  }
  if (wire::SpecToJson(*again) != text) std::abort();
  return 0;
}
