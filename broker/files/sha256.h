// SHA-256 (FIPS 180-4) of bytes that come in pieces. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace tidewaiter::files {

class Sha256 {
 public:
  Sha256();
  void Add(std::string_view bytes);
  // "sha256:" and 64 hexadecimal digits. Nothing may be added afterwards.
  std::string Finish();

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

}  // namespace tidewaiter::files
