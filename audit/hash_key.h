// The key under which the log says which value it was without saying the value: whoever holds the
// key and a guess can compare, nobody else. A plain hash would not do: a short secret is found by
// trying. Thread: any.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::audit {

// Of its file in the broker's state folder.
inline constexpr char kHashKeyFile[] = "audit-hash.key";

class HashKey {
 public:
  // A new one, by the system's generator. Errors: INTERNAL.
  static Result<HashKey> Generate();
  // 64 lower-case hexadecimal digits and a line feed, and nothing else. FAILED_PRECONDITION, which
  // quotes nothing of the text and says what to do.
  static Result<HashKey> Parse(std::string_view text);

  // As Parse takes it. A secret.
  [[nodiscard]] std::string ToString() const;

  // "hmac-sha256:" and 64 lower-case hexadecimal digits: HMAC-SHA256 (RFC 2104) of the bytes.
  [[nodiscard]] std::string Hash(std::string_view value) const;

  HashKey(HashKey&& other) noexcept;
  HashKey& operator=(HashKey&&) = delete;
  HashKey(const HashKey&) = delete;
  HashKey& operator=(const HashKey&) = delete;
  ~HashKey();

 private:
  HashKey() = default;

  std::array<unsigned char, 32> bytes_{};
};

}  // namespace tidewaiter::audit
