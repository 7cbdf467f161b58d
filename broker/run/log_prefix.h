// The beginning of a log as it is known: counted, and hashed. One thread at a time.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tidewaiter::run {

class LogPrefix {
 public:
  LogPrefix();
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  void Add(std::string_view data);
  [[nodiscard]] bool SameAs(const LogPrefix& other) const;
  // SHA-256 of it: 32 bytes.
  [[nodiscard]] std::string Digest() const;

 private:
  struct ContextDeleter {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, ContextDeleter> context_;
  std::uint64_t bytes_ = 0;
};

}  // namespace tidewaiter::run
