// SHA-256 (FIPS 180-4) of bytes that come in pieces. One thread.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace tidewaiter::audit {

class Sha256 {
 public:
  using Digest = std::array<unsigned char, 32>;

  Sha256();
  void Add(std::string_view bytes);
  // The digest of all that was added since the last one; begins anew.
  Digest Finish();

  static Digest Of(std::string_view bytes);

 private:
  void Begin();

  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

// "sha256:" and 64 lower-case hexadecimal digits, as OCI writes a digest.
std::string ToString(const Sha256::Digest& digest);

}  // namespace tidewaiter::audit
