#include "broker/rpc/record_prover.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "audit/inclusion_proof.h"
#include "audit/tree_proof.h"

namespace tidewaiter::rpc {
namespace {

// A log that signs does so within its interval, which is far less.
constexpr std::chrono::minutes kPatience(1);

}  // namespace

Result<RecordProver> RecordProver::Make(audit::Log& log) {
  TW_ASSIGN(audit::Log::View view, log.Look());
  return RecordProver(log, audit::StoredTree(std::move(view.directory)));
}

Result<std::string> RecordProver::Prove(std::uint64_t index, const std::stop_token& stop) {
  if (index >= covering_.records) {
    auto signed_state = log_->AwaitCheckpoint(index + 1, stop, Deadline::After(kPatience));
    if (!signed_state) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("prove record {}: no checkpoint covers it", index),
                  "AUDIT_UNAVAILABLE");
    }
    covering_ = *std::move(signed_state);
  }
  const auto builder = audit::ProofBuilder::Inclusion(index, covering_.records);
  TW_ASSIGN(audit::Proof hashes, tree_.Prove(*builder));
  return audit::InclusionProof{
      .line = {}, .index = index, .hashes = std::move(hashes), .checkpoint = covering_.note}
      .ToString();
}

}  // namespace tidewaiter::rpc
