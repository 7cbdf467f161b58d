// Handing the audit log over to a new key while the broker serves. What a crash or a full disk cuts
// short, the next call or the next start brings to its end, with the same new key.
//
// Thread: any, one at a time; blocks on the disk, for as long as it is given.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "audit/log.h"
#include "audit/signing_key.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/result.h"
#include "broker/run/audit_sink.h"

namespace tidewaiter::daemon {

class KeyChange {
 public:
  struct Parts {
    std::string state_dir;
    std::string broker_id;
    audit::Log* audit_log = nullptr;  // borrowed, as is `log`
    Log* log = nullptr;
    std::chrono::milliseconds patience{0};
    // Of a hand-over that a former broker began; null: there is none.
    std::shared_ptr<const audit::SigningKey> begun;
  };
  explicit KeyChange(Parts parts) : parts_(std::move(parts)), begun_(parts_.begun) {}

  struct Done {
    std::string former;  // VerifierKey::ToString
    std::string key;
    std::uint64_t record = 0;  // that says so
  };
  // `by`: who asked; nobody where a start goes on with what was begun. Errors: audit::Log's
  // HandOver, those of the key's file.
  Result<Done> Run(const std::optional<run::Caller>& by);

  // At a start: goes on where something was begun. What fails is told to the log.
  void Resume();

  // Whether there is one that was begun and has not come to its end. Does not block.
  bool Pending();

 private:
  using KeyPtr = std::shared_ptr<const audit::SigningKey>;
  Result<Done> HandOver(const std::optional<run::Caller>& by);
  Result<KeyPtr> Successor(const audit::VerifierKey& former);

  const Parts parts_;
  std::mutex one_at_a_time_;
  Guarded<KeyPtr> begun_;  // null: nothing is
};

}  // namespace tidewaiter::daemon
