// For which keys a log's checkpoints are believed, as a verifier reads on: the one that it was
// given, and those to which records that are signed for hand the log over. One thread. It must
// never believe a key because the folder names it, nor because a record does that no believed key
// covers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/signing_key.h"
#include "base/result.h"

namespace tidewaiter::audit {

class KeyRing {
 public:
  // `given`: the auditor's. `hints`: other keys of the log, as its folder names them. Checkpoints
  // by those are compared and prove nothing; see FindUnvouched.
  KeyRing(VerifierKey given, const std::vector<VerifierKey>& hints);

  struct Reading {
    Checkpoint checkpoint;
    std::vector<std::string> signers = {};  // the believed keys that have signed it
    std::string other = {};                 // where there is none: the hint, or the former key
    [[nodiscard]] bool Believed() const noexcept { return !signers.empty(); }
  };
  // What the signed note `bytes` says. Nobody believes it where its signers are none: only a former
  // key or a hint has signed. INVALID_ARGUMENT where it is no note, no checkpoint, of another log,
  // or signed by no key that is known.
  [[nodiscard]] Result<Reading> Read(std::string_view bytes) const;
  // It says something about the log: that it is compared, or covers records that are not there.
  void Use(const Reading& reading);

  // A record, the last that was read, says that `former` hands over to `next`. It counts from the
  // next Believe on.
  void Note(std::string_view former, std::string_view next);
  // A believed checkpoint holds for all that was read. `signers`: Reading's.
  void Believe(const std::vector<std::string>& signers);
  // What was read is not what was signed.
  void Forget() noexcept { noted_.clear(); }

  // The key that signs now, as far as is proven.
  [[nodiscard]] const VerifierKey& current() const noexcept { return current_; }
  // A hint by which a checkpoint was read and for which no believed record vouches.
  [[nodiscard]] std::optional<std::string> FindUnvouched() const;

 private:
  enum class Standing { kHint, kFormer, kBelieved };
  struct Known {
    explicit Known(VerifierKey one) : key(std::move(one)), text(key.ToString()) {}
    VerifierKey key;
    std::string text;  // of the key
    Standing standing = Standing::kHint;
    bool vouched = false;
    bool used = false;
    std::string successor;  // as text; empty: none that is believed
  };
  Known* Find(std::string_view text);

  VerifierKey current_;
  std::vector<Known> known_;
  std::vector<std::pair<std::string, std::string>> noted_;
};

}  // namespace tidewaiter::audit
