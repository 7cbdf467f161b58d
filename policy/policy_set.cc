#include "policy/policy_set.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "base/toml_document.h"
#include "policy/policy_file_reader.h"

namespace tidewaiter::policy {
namespace {

Result<std::string> Sha256(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) {
    return Fail(ErrorCode::kInternal, "hash policy file: the cryptographic library failed");
  }
  std::string text = "sha256:";
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace

Result<std::shared_ptr<const PolicySet>> PolicySet::Parse(std::string_view toml,
                                                          const std::string& file_name) {
  TW_ASSIGN(TomlDocument document, TomlDocument::Parse(toml, file_name));
  TW_ASSIGN(std::string hash, Sha256(toml));
  PolicyFileReader reader(document, std::move(hash));
  TW_ASSIGN(PolicySet set, reader.Read());
  return std::make_shared<const PolicySet>(std::move(set));
}

const Policy* PolicySet::Find(std::string_view name) const noexcept {
  const auto found = policies_.find(name);
  return found != policies_.end() ? &found->second : nullptr;
}

const Principal* PolicySet::FindPrincipal(uid_t uid) const noexcept {
  const auto found = of_uid_.find(uid);
  return found != of_uid_.end() ? &principals_[found->second] : nullptr;
}

const Principal* PolicySet::FindPrincipal(std::string_view name) const noexcept {
  const auto found = of_name_.find(name);
  return found != of_name_.end() ? &principals_[found->second] : nullptr;
}

}  // namespace tidewaiter::policy
