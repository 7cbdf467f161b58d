// Proofs for records that are given to a client: each against a checkpoint that covers it, which is
// waited for where there is none yet. One thread per object.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "audit/log.h"
#include "audit/stored_tree.h"
#include "base/result.h"

namespace tidewaiter::rpc {

class RecordProver {
 public:
  // `log` must outlive it. Errors as Log::Look.
  static Result<RecordProver> Make(audit::Log& log);

  // C2SP tlog-proof of that record, without its line. NOT_FOUND where its hash is not stored any
  // more; UNAVAILABLE where no checkpoint comes.
  Result<std::string> Prove(std::uint64_t index, const std::stop_token& stop);

 private:
  RecordProver(audit::Log& log, audit::StoredTree tree) : log_(&log), tree_(std::move(tree)) {}

  audit::Log* log_;
  audit::StoredTree tree_;
  audit::Log::SignedState covering_;
};

}  // namespace tidewaiter::rpc
