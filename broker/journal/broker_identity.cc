#include "broker/journal/broker_identity.h"

#include <fcntl.h>

#include "base/durable_file.h"
#include "base/printable.h"

namespace tidewaiter::journal {
namespace {

constexpr char kFileName[] = "broker_id";
constexpr std::size_t kMaxBytes = 64;

Result<BrokerId> Read(int folder) {
  TW_ASSIGN(std::string text, ReadOwnFile(folder, kFileName, kMaxBytes));
  if (text.ends_with('\n')) text.pop_back();
  if (!IsRandomId(text)) {
    return Fail(ErrorCode::kFailedPrecondition,
                "read '" + std::string(kFileName) + "': holds no broker id but " + Quoted(text) +
                    "; restore the file, or remove it where nothing of this broker is left on the "
                    "engine");
  }
  return BrokerId(std::move(text));
}

}  // namespace

Result<BrokerId> LoadOrCreateBrokerId(const std::string& state_dir) {
  TW_ASSIGN(const UniqueFd folder, OpenOwnFolder(AT_FDCWD, state_dir));
  Result<BrokerId> found = Read(folder.get());
  if (found || found.error().code != ErrorCode::kNotFound) return found;
  Result<void> created = CreateAtomically(folder.get(), kFileName, RandomId() + "\n");
  // Another process was first: its id is the one.
  if (!created && created.error().code != ErrorCode::kAlreadyExists) return created.error();
  return Read(folder.get());
}

}  // namespace tidewaiter::journal
