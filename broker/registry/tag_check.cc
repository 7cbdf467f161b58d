#include "broker/registry/tag_check.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/printable.h"
#include "broker/json/json.h"

namespace tidewaiter::registry {
namespace {

Error Mismatch(const policy::ImageReference& image, const std::string& why) {
  return Fail(ErrorCode::kFailedPrecondition,
              "check the tag of image " + Quoted(image.Canonical(), 300) + ": " + why,
              "TAG_MISMATCH");
}

bool LooksLikeDigest(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view algorithm = text.substr(0, colon);
  const std::string_view hex = text.substr(colon + 1);
  const bool length =
      (algorithm == "sha256" && hex.size() == 64) || (algorithm == "sha512" && hex.size() == 128);
  return length && hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string DigestOfBytes(std::string_view algorithm, std::string_view bytes) {
  const EVP_MD* method = algorithm == "sha256"   ? EVP_sha256()
                         : algorithm == "sha512" ? EVP_sha512()
                                                 : nullptr;
  if (method == nullptr) return {};
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), hash.data(), &length, method, nullptr) != 1) return {};
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = std::string(algorithm) + ":";
  for (unsigned int i = 0; i < length; ++i) {
    out += kHex[hash.at(i) >> 4U];
    out += kHex[hash.at(i) & 0xFU];
  }
  return out;
}

bool IndexLists(std::string_view manifest, std::string_view digest) {
  const std::optional<Json> index = ParseJson(manifest);
  if (!index) return false;
  const Json& manifests = At(*index, {"manifests"});
  return manifests.is_array() &&
         std::any_of(manifests.begin(), manifests.end(),
                     [digest](const Json& entry) { return TextAt(entry, "digest") == digest; });
}

Result<void> TagCheck::Confirm(const policy::ImageReference& image, const run::Patience& patience) {
  const std::string key = image.Canonical();
  if (Remembers(key)) return Ok();
  TW_TRY(Ask(image, patience));
  Remember(key);
  return Ok();
}

Result<void> TagCheck::Ask(const policy::ImageReference& image, const run::Patience& patience) {
  TW_ASSIGN(const io::HttpResponse head, registry_.Manifest("HEAD", image, image.tag, patience));
  if (head.status == 404) return Mismatch(image, "its registry has no such tag");
  if (head.Header("docker-content-digest") == image.digest) return Ok();

  // The tag may be an index that leads to the digest, or the digest of another algorithm: only the
  // manifest itself can say, and then its bytes count, not the header.
  TW_ASSIGN(const io::HttpResponse whole, registry_.Manifest("GET", image, image.tag, patience));
  if (whole.status == 404) return Mismatch(image, "its registry has no such tag");
  const std::string algorithm = image.digest.substr(0, image.digest.find(':'));
  const std::string actual = DigestOfBytes(algorithm, whole.body);
  if (actual == image.digest || IndexLists(whole.body, image.digest)) return Ok();
  return Mismatch(image, "at its registry the tag names " + actual + ", not " + image.digest);
}

Result<std::string> TagCheck::DigestOf(const policy::ImageReference& image,
                                       const run::Patience& patience) {
  TW_ASSIGN(const io::HttpResponse head, registry_.Manifest("HEAD", image, image.tag, patience));
  if (head.status == 404) return Mismatch(image, "its registry has no such tag");
  std::string digest(head.Header("docker-content-digest"));
  if (LooksLikeDigest(digest)) return digest;
  TW_ASSIGN(const io::HttpResponse whole, registry_.Manifest("GET", image, image.tag, patience));
  if (whole.status == 404) return Mismatch(image, "its registry has no such tag");
  return DigestOfBytes("sha256", whole.body);
}

bool TagCheck::Remembers(const std::string& key) {
  auto confirmed = confirmed_.Lock();
  const auto found = confirmed->find(key);
  return found != confirmed->end() && !found->second.Passed();
}

void TagCheck::Remember(const std::string& key) {
  if (settings_.tag_memory.count() <= 0 || settings_.tag_memory_entries == 0) return;
  auto confirmed = confirmed_.Lock();
  if (confirmed->size() >= settings_.tag_memory_entries) {
    std::erase_if(*confirmed, [](const auto& entry) { return entry.second.Passed(); });
  }
  while (confirmed->size() >= settings_.tag_memory_entries) confirmed->erase(confirmed->begin());
  confirmed->insert_or_assign(key, Deadline::After(settings_.tag_memory));
}

}  // namespace tidewaiter::registry
