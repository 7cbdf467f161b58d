#include "broker/daemon/audit_keys.h"

#include <fmt/format.h>

#include "audit/key_file.h"
#include "base/printable.h"

namespace tidewaiter::daemon {
namespace {

std::string PathOf(const std::string& state_dir) {
  return state_dir + "/" + audit::kHashKeyFile;
}

Result<audit::HashKey> Believe(const std::string& state_dir, const audit::SecretText& text) {
  Result<audit::HashKey> key = audit::HashKey::Parse(text.view());
  if (!key) return key.error().Within(Quoted(PathOf(state_dir)));
  return key;
}

}  // namespace

Result<audit::HashKey> LoadOrCreateHashKey(const std::string& state_dir, Log& log) {
  TW_ASSIGN(const audit::KeyFile file,
            audit::LoadOrCreateKeyFile(state_dir, audit::kHashKeyFile, []() -> Result<std::string> {
              TW_ASSIGN(const audit::HashKey key, audit::HashKey::Generate());
              return key.ToString();
            }));
  if (file.made) {
    log.Write(LogLevel::kInfo, fmt::format("made {}, a new key: values in older records cannot "
                                           "be looked up under it",
                                           Quoted(PathOf(state_dir))));
  }
  return Believe(state_dir, file.text);
}

Result<std::string> DescribeHashKey(const std::string& state_dir) {
  const Result<audit::SecretText> text = audit::LoadKeyFile(state_dir, audit::kHashKeyFile);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return fmt::format("no {}: the first start makes it", PathOf(state_dir));
  }
  if (!text) return text.error();
  TW_TRY(Believe(state_dir, *text));
  return PathOf(state_dir);
}

}  // namespace tidewaiter::daemon
