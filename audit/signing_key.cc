#include "audit/signing_key.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "audit/secret_text.h"
#include "audit/sha256.h"
#include "base/base64.h"

namespace tidewaiter::audit {
namespace {

constexpr std::string_view kEd25519("\x01", 1);
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::string_view kPrivatePrefix = "PRIVATE+KEY+";

using Context = std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)>;

// OpenSSL speaks unsigned char.
const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

std::string IdOf(std::string_view name, std::string_view key) {
  Sha256 hash;
  for (const std::string_view part : {name, std::string_view("\n"), kEd25519, key}) hash.Add(part);
  const Sha256::Digest digest = hash.Finish();
  return {digest.begin(), digest.begin() + 4};
}

std::string Hexadecimal(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

struct Parts {
  std::string name;
  std::string_view id;
  std::string key;  // may be a secret: the caller's to wipe
};

// NAME+HASH+KEY. The error says which key, and quotes nothing: it may be a secret.
Result<Parts> Split(std::string_view text, std::string_view what) {
  const auto refuse = [what](std::string_view why) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("read {}: {}", what, why));
  };
  const std::size_t first = text.find('+');
  const std::size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) return refuse("it is not NAME+HASH+KEY");
  Parts parts{.name = std::string(text.substr(0, first)),
              .id = text.substr(first + 1, second - first - 1),
              .key = {}};
  if (!IsKeyName(parts.name)) return refuse("its name is empty, too long or has white space");
  auto decoded = DecodePaddedBase64(text.substr(second + 1));
  if (!decoded) return refuse("its last part is not base64");
  const SecretText key(*std::move(decoded));
  Wipe(*decoded);
  if (!key.view().starts_with(kEd25519)) return refuse("it is not for Ed25519 (first byte 0x01)");
  if (key.view().size() != kEd25519.size() + kKeyBytes) return refuse("it has not 32 bytes");
  parts.key = key.view().substr(kEd25519.size());
  return parts;
}

}  // namespace

bool IsKeyName(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != '+'; });
}

VerifierKey::VerifierKey(std::string name, std::string key)
    : name_(std::move(name)), key_(std::move(key)), id_(IdOf(name_, key_)) {}

Result<VerifierKey> VerifierKey::Parse(std::string_view text) {
  TW_ASSIGN(Parts parts, Split(text, "public key"));
  VerifierKey key(std::move(parts.name), std::move(parts.key));
  if (Hexadecimal(key.id_) != parts.id) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("read public key: its hash is not {}", Hexadecimal(key.id_)));
  }
  return key;
}

std::string VerifierKey::ToString() const {
  return fmt::format("{}+{}+{}", name_, Hexadecimal(id_),
                     EncodeBase64(std::string(kEd25519) + key_));
}

bool VerifierKey::Verifies(std::string_view message, std::string_view signature) const {
  if (signature.size() != kSignatureBytes) return false;
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      ::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(key_), key_.size()),
      ::EVP_PKEY_free);
  const Context context(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free);
  const bool good =
      key && context &&
      ::EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
      ::EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message),
                         message.size()) == 1;
  // What is left there is read by the next one on this thread that speaks TLS.
  if (!good) ::ERR_clear_error();
  return good;
}

Result<SigningKey> SigningKey::Of(std::string name, Pkey key) {
  std::string bytes(kKeyBytes, '\0');
  std::size_t size = bytes.size();
  if (!key || ::EVP_PKEY_get_raw_public_key(key.get(), Bytes(bytes), &size) != 1) {
    return Fail(ErrorCode::kInternal, "make signing key: the cryptographic library failed");
  }
  return SigningKey(VerifierKey(std::move(name), std::move(bytes)), std::move(key));
}

Result<SigningKey> SigningKey::Generate(std::string name) {
  if (!IsKeyName(name)) {
    return Fail(ErrorCode::kInvalidArgument,
                "make signing key: its name is empty, too long or has white space");
  }
  return Of(std::move(name),
            Pkey(::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), ::EVP_PKEY_free));
}

Result<SigningKey> SigningKey::Parse(std::string_view text) {
  if (!text.starts_with(kPrivatePrefix)) {
    return Fail(ErrorCode::kInvalidArgument,
                "read signing key: it does not begin with PRIVATE+KEY+");
  }
  TW_ASSIGN(Parts parts, Split(text.substr(kPrivatePrefix.size()), "signing key"));
  // OpenSSL keeps, and wipes, a copy of its own.
  Pkey pkey(
      ::EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(parts.key), parts.key.size()),
      ::EVP_PKEY_free);
  Wipe(parts.key);
  TW_ASSIGN(SigningKey key, Of(std::move(parts.name), std::move(pkey)));
  if (Hexadecimal(key.verifier_.id()) != parts.id) {
    return Fail(ErrorCode::kInvalidArgument, "read signing key: its hash is not that of its key");
  }
  return key;
}

std::string SigningKey::ToString() const {
  std::string seed(kEd25519);
  seed.resize(kEd25519.size() + kKeyBytes);
  std::size_t size = kKeyBytes;
  // Fails only for kinds of keys that have no such bytes.
  if (::EVP_PKEY_get_raw_private_key(key_.get(), Bytes(seed) + kEd25519.size(), &size) != 1) {
    std::abort();
  }
  std::string encoded = EncodeBase64(seed);
  std::string text =
      fmt::format("{}{}+{}+", kPrivatePrefix, verifier_.name(), Hexadecimal(verifier_.id()));
  text.reserve(text.size() + encoded.size() + 1);  // and the line feed of a file
  text += encoded;
  Wipe(seed);
  Wipe(encoded);
  return text;
}

Result<std::string> SigningKey::Sign(std::string_view message) const {
  const Context context(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free);
  std::string signature(kSignatureBytes, '\0');
  std::size_t size = signature.size();
  if (!context || ::EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      ::EVP_DigestSign(context.get(), Bytes(signature), &size, Bytes(message), message.size()) !=
          1) {
    return Fail(ErrorCode::kInternal, "sign: the cryptographic library failed");
  }
  return signature;
}

}  // namespace tidewaiter::audit
