#include "broker/files/principal_share.h"

#include <fmt/format.h>

#include "base/printable.h"

namespace tidewaiter::files {

Result<void> PrincipalShare::Take(const RunId& run_id, const std::string& principal,
                                  std::uint64_t wanted) {
  auto runs = runs_.Lock();
  std::uint64_t held = 0;
  for (const auto& [id, run] : *runs) {
    if (run.principal == principal) held += run.bytes;
  }
  if (wanted > max_bytes_ || held > max_bytes_ - wanted) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("take an input: the runs of {} hold {} bytes of inputs, and {} more "
                            "would be above {} (max_input_bytes_per_principal)",
                            Quoted(principal), held, wanted, max_bytes_),
                "INPUT_QUOTA");
  }
  Held& run = (*runs)[run_id];
  run.principal = principal;
  run.bytes += wanted;
  return Ok();
}

void PrincipalShare::Settle(const RunId& run_id, std::uint64_t wanted, std::uint64_t used) {
  auto runs = runs_.Lock();
  const auto run = runs->find(run_id);
  if (run != runs->end()) run->second.bytes -= wanted - used;
}

void PrincipalShare::Forget(const RunId& run_id) {
  runs_.Lock()->erase(run_id);
}

}  // namespace tidewaiter::files
