#include "broker/journal/sealed_file.h"

#include <openssl/sha.h>

#include <chrono>
#include <utility>

#include "run_entry.pb.h"

namespace tidewaiter::journal {
namespace {

constexpr std::uint32_t kVersion = 1;

std::string Sha256(const std::string& bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  // OpenSSL speaks unsigned char.
  ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
           reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

}  // namespace

Error Unreadable(std::string cause) {
  return Fail(ErrorCode::kFailedPrecondition, std::move(cause), "JOURNAL_UNREADABLE");
}

bool IsTime(std::int64_t millis) noexcept {
  using std::chrono::milliseconds;
  constexpr auto kMax = std::chrono::duration_cast<milliseconds>(std::chrono::nanoseconds::max());
  return millis >= 0 && millis <= kMax.count();
}

std::string Seal(std::string content) {
  RunEntryFile file;
  file.set_version(kVersion);
  file.set_sha256(Sha256(content));
  file.set_entry(std::move(content));
  return file.SerializeAsString();
}

Result<std::string> Unseal(std::string_view bytes) {
  if (bytes.size() > kMaxSealedBytes) return Unreadable("too large");
  RunEntryFile file;
  if (!file.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Unreadable("torn or no journal file");
  }
  // The version first: another one may have its checksum elsewhere.
  if (file.version() > kVersion) {
    return Unreadable("format version " + std::to_string(file.version()) +
                      ", this broker reads version " + std::to_string(kVersion));
  }
  if (file.version() != kVersion || file.sha256() != Sha256(file.entry())) {
    return Unreadable("torn: its checksum does not match");
  }
  return std::move(*file.mutable_entry());
}

}  // namespace tidewaiter::journal
