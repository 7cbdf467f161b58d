// Ed25519 keys in the text forms of C2SP signed-note (https://c2sp.org/signed-note): a name, which
// says whose key it is, a hash by which a signature names its key, and the key. Thread: any.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct evp_pkey_st;

namespace tidewaiter::audit {

// Whether a key may have that name: 1 to 255 visible ASCII characters without "+". C2SP lets it be
// other Unicode, too, of which nothing here makes use.
bool IsKeyName(std::string_view name) noexcept;

// The public half: what an auditor holds.
class VerifierKey {
 public:
  // NAME+HASH+KEY: 8 lower-case hexadecimal digits, and
  // base64 of 0x01 (Ed25519) and the 32 bytes of the key. Errors: INVALID_ARGUMENT.
  static Result<VerifierKey> Parse(std::string_view text);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // The first four bytes of SHA-256(name, line feed, 0x01, key).
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] std::string ToString() const;
  // `signature`: 64 bytes of RFC 8032.
  [[nodiscard]] bool Verifies(std::string_view message, std::string_view signature) const;

  friend bool operator==(const VerifierKey& one, const VerifierKey& other) {
    return one.name_ == other.name_ && one.key_ == other.key_;
  }

 private:
  friend class SigningKey;
  VerifierKey(std::string name, std::string key);

  std::string name_;
  std::string key_;  // 32 bytes
  std::string id_;   // 4 bytes
};

class SigningKey {
 public:
  // A new one, by the system's generator. The name is one that VerifierKey::Parse takes. Errors:
  // INVALID_ARGUMENT, INTERNAL.
  static Result<SigningKey> Generate(std::string name);
  // PRIVATE+KEY+NAME+HASH+SEED: base64 of 0x01 and RFC 8032's 32 secret bytes. Errors:
  // INVALID_ARGUMENT, which quote nothing of the text.
  static Result<SigningKey> Parse(std::string_view text);

  [[nodiscard]] const VerifierKey& verifier() const noexcept { return verifier_; }
  // A secret.
  [[nodiscard]] std::string ToString() const;
  // 64 bytes of RFC 8032. Errors: INTERNAL.
  [[nodiscard]] Result<std::string> Sign(std::string_view message) const;

 private:
  using Pkey = std::shared_ptr<evp_pkey_st>;
  static Result<SigningKey> Of(std::string name, Pkey key);
  SigningKey(VerifierKey verifier, Pkey key)
      : verifier_(std::move(verifier)), key_(std::move(key)) {}

  VerifierKey verifier_;
  Pkey key_;
};

}  // namespace tidewaiter::audit
