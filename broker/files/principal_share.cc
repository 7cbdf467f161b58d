#include "broker/files/principal_share.h"

#include <fmt/format.h>

#include "base/printable.h"

namespace tidewaiter::files {

// The run holds `bytes` from now on.
void PrincipalShare::Change(State& state, Held& run, std::uint64_t bytes) {
  const auto total = state.totals.try_emplace(run.principal).first;
  total->second += bytes - run.bytes;
  if (total->second == 0) state.totals.erase(total);
  run.bytes = bytes;
}

Result<void> PrincipalShare::Take(const RunId& run_id, const std::string& principal,
                                  std::uint64_t wanted) {
  auto state = state_.Lock();
  const auto total = state->totals.find(principal);
  const std::uint64_t held = total == state->totals.end() ? 0 : total->second;
  if (wanted > max_bytes_ || held > max_bytes_ - wanted) {
    return Fail(
        ErrorCode::kResourceExhausted,
        fmt::format("{}: the runs of {} hold {} bytes {}, and {} more would be above {} ({})",
                    words_.verb, Quoted(principal), held, words_.what, wanted, max_bytes_,
                    words_.setting),
        words_.reason);
  }
  Held& run = state->runs[run_id];
  run.principal = principal;
  Change(*state, run, run.bytes + wanted);
  return Ok();
}

void PrincipalShare::Settle(const RunId& run_id, std::uint64_t wanted, std::uint64_t used) {
  auto state = state_.Lock();
  const auto run = state->runs.find(run_id);
  if (run != state->runs.end()) Change(*state, run->second, run->second.bytes - wanted + used);
}

void PrincipalShare::Set(const RunId& run_id, const std::string& principal, std::uint64_t bytes) {
  auto state = state_.Lock();
  Held& run = state->runs[run_id];
  run.principal = principal;
  Change(*state, run, bytes);
}

void PrincipalShare::Forget(const RunId& run_id) {
  auto state = state_.Lock();
  const auto run = state->runs.find(run_id);
  if (run == state->runs.end()) return;
  Change(*state, run->second, 0);
  state->runs.erase(run);
}

}  // namespace tidewaiter::files
