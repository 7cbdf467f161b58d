// A text with signatures, as C2SP signed-note (https://c2sp.org/signed-note) defines it: the text,
// an empty line, and a line for each signature ("— NAME BASE64", of the key's four-byte id and the
// signature of the text). Reads hostile bytes. Thread: any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "audit/signing_key.h"
#include "base/result.h"

namespace tidewaiter::audit {

// A note of ours has some hundred bytes; one that others have signed, too, some thousand.
inline constexpr std::size_t kMaxNoteBytes = std::size_t{64} << 10U;
inline constexpr std::size_t kMaxNoteSignatures = 100;

class SignedNote {
 public:
  // Errors: INVALID_ARGUMENT for what is no note.
  static Result<SignedNote> Parse(std::string_view bytes);
  // Errors: INVALID_ARGUMENT for what Parse would not read again (`text` is UTF-8, ends in a line
  // feed and has no control characters besides; there is a key), and those of SigningKey::Sign.
  static Result<SignedNote> Sign(std::string text, const std::vector<const SigningKey*>& keys);

  // Its last line feed included: what is signed.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::string ToString() const;
  // Whether a signature by that key is there and good. One that is there and not good is a no,
  // whatever else there is.
  [[nodiscard]] bool IsSignedBy(const VerifierKey& key) const;
  // The id of the key of that name whose signature is the last.
  [[nodiscard]] std::string LastSigner(std::string_view name) const;

 private:
  struct Signature {
    std::string name;
    std::string id;     // of the key: 4 bytes
    std::string bytes;  // what the key's kind makes
  };
  std::string text_;
  std::vector<Signature> signatures_;
};

}  // namespace tidewaiter::audit
