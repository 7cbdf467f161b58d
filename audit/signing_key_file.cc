#include "audit/signing_key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "audit/key_file.h"
#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {
namespace {

using KeyPtr = std::shared_ptr<const SigningKey>;

std::string OriginOf(const std::string& broker_id) {
  return "tidewaiter/" + broker_id;
}

Error Refuse(const std::string& file, const std::string& cause) {
  return Fail(ErrorCode::kFailedPrecondition, fmt::format("open key {}: {}", Quoted(file), cause),
              "UNTRUSTED_KEY");
}

Result<KeyPtr> Believe(const std::string& file, std::string_view text, const std::string& origin) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  auto key = SigningKey::Parse(text);
  if (!key) return Refuse(file, key.error().message);
  if (key->verifier().name() != origin) {
    return Refuse(file, fmt::format("it is of the log {}, this broker's is {}",
                                    Quoted(key->verifier().name()), Quoted(origin)));
  }
  return std::make_shared<const SigningKey>(*std::move(key));
}

Result<KeyPtr> Load(const std::string& directory, const std::string& file,
                    const std::string& origin) {
  TW_ASSIGN(const SecretText text, LoadKeyFile(directory, file));
  return Believe(file, text.view(), origin);
}

Result<KeyPtr> LoadOrCreate(const std::string& directory, const std::string& file,
                            const std::string& origin) {
  TW_ASSIGN(const KeyFile found,
            LoadOrCreateKeyFile(directory, file, [&origin]() -> Result<std::string> {
              TW_ASSIGN(const SigningKey made, SigningKey::Generate(origin));
              return made.ToString() + "\n";
            }));
  return Believe(file, found.text.view(), origin);
}

}  // namespace

Result<SigningKeys> LoadOrCreateSigningKeys(const std::string& directory,
                                            const std::string& broker_id) {
  const std::string origin = OriginOf(broker_id);
  auto successor = Load(directory, kNextSigningKeyName, origin);
  if (!successor && successor.error().code != ErrorCode::kNotFound) return successor.error();
  SigningKeys keys;
  if (!successor) {
    TW_ASSIGN(keys.key, LoadOrCreate(directory, kSigningKeyName, origin));
    return keys;
  }
  // A new key would hand its log over to what is a former log's.
  auto key = Load(directory, kSigningKeyName, origin);
  if (!key && key.error().code == ErrorCode::kNotFound) {
    return Refuse(kSigningKeyName,
                  "it is missing, and audit.key.next, which was to follow it, is "
                  "there; restore it, or move that away, too, for a new log");
  }
  if (!key) return key.error();
  keys.key = *std::move(key);
  if ((*successor)->verifier() == keys.key->verifier()) {
    return Refuse(kNextSigningKeyName, "it is audit.key itself; remove it");
  }
  keys.successor = *std::move(successor);
  return keys;
}

Result<std::shared_ptr<const SigningKey>> LoadOrCreateSuccessor(const std::string& directory,
                                                                const std::string& broker_id) {
  return LoadOrCreate(directory, kNextSigningKeyName, OriginOf(broker_id));
}

Result<void> PromoteSuccessor(const std::string& directory, const SigningKey& successor) {
  const UniqueFd folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return ErrnoError(errno, fmt::format("open key folder {}", Quoted(directory)));
  const std::string& origin = successor.verifier().name();
  auto found = Load(directory, kNextSigningKeyName, origin);
  const bool waits = found.has_value();
  if (!found && found.error().code == ErrorCode::kNotFound) {
    found = Load(directory, kSigningKeyName, origin);
  }
  if (!found) return found.error();
  if ((*found)->verifier() != successor.verifier()) {
    return Refuse(waits ? kNextSigningKeyName : kSigningKeyName,
                  "it is not the key that the log was handed over to; restore that");
  }
  if (waits && ::renameat(folder.get(), kNextSigningKeyName, folder.get(), kSigningKeyName) != 0) {
    return ErrnoError(errno, fmt::format("rename key {}", Quoted(kNextSigningKeyName)));
  }
  // Also where it has the name already: what was renamed may not be on disk.
  if (::fsync(folder.get()) != 0) return ErrnoError(errno, "sync key folder");
  return Ok();
}

}  // namespace tidewaiter::audit
