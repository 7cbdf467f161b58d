// For which keys a log's checkpoints are believed, as a verifier reads on: the one that it was
// given, and those to which records that are signed for hand the log over. One thread. It must
// never believe a key because the folder names it, nor because a record does that no believed key
// covers.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
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
    // Where there is none: the hints and former keys that have.
    std::vector<std::string> others = {};
    [[nodiscard]] bool Believed() const noexcept { return !signers.empty(); }
  };
  // What the signed note `bytes` says. Nobody believes it where its signers are none: only a former
  // key or a hint has signed. INVALID_ARGUMENT where it is no note, no checkpoint, of another log,
  // or signed by no key that is known.
  [[nodiscard]] Result<Reading> Read(std::string_view bytes) const;
  // It says something about the log: that it is compared, or covers records that are not there.
  void Use(const Reading& reading);

  // What a record, the last that was read, says of the log itself: that `former` hands over to
  // `next`; that the records before `kept_from` have been removed. It counts from the next Believe
  // on.
  void Note(std::string_view former, std::string_view next);
  void NoteRemoval(std::uint64_t kept_from) noexcept;
  // A believed checkpoint holds for all that was read. `signers`: Reading's.
  void Believe(const std::vector<std::string>& signers);
  // What was read is not what was signed.
  void Forget() noexcept;

  // Changes with what Read would say of a note.
  [[nodiscard]] std::uint64_t age() const noexcept { return age_; }
  // How far the log has been removed, by a believed record.
  [[nodiscard]] std::uint64_t removed_to() const noexcept { return removed_to_; }
  // The key that signs now, as far as is proven.
  [[nodiscard]] const VerifierKey& current() const noexcept { return current_; }
  // A key by which a checkpoint was read, where no believed record vouches for one that signed it.
  [[nodiscard]] std::optional<std::string> FindUnvouched() const;

 private:
  enum class Standing { kHint, kFormer, kBelieved };
  struct Known {
    explicit Known(VerifierKey one) : key(std::move(one)), text(key.ToString()) {}
    VerifierKey key;
    std::string text;  // of the key
    Standing standing = Standing::kHint;
    bool vouched = false;
    std::string successor;  // as text; empty: none that is believed
  };
  Known* Find(std::string_view text);

  VerifierKey current_;
  std::vector<Known> known_;
  std::vector<std::pair<std::string, std::string>> noted_;
  std::uint64_t noted_removal_ = 0;
  std::uint64_t removed_to_ = 0;
  std::uint64_t age_ = 0;
  std::set<std::vector<std::string>> used_;  // the others of each reading that says something
};

}  // namespace tidewaiter::audit
