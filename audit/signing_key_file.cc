#include "audit/signing_key_file.h"

#include <fmt/format.h>

#include <utility>

#include "audit/key_file.h"
#include "base/printable.h"

namespace tidewaiter::audit {

Result<std::shared_ptr<const SigningKey>> LoadOrCreateSigningKey(const std::string& directory,
                                                                 const std::string& broker_id) {
  const std::string name = "tidewaiter/" + broker_id;
  TW_ASSIGN(const KeyFile file,
            LoadOrCreateKeyFile(directory, kSigningKeyName, [&name]() -> Result<std::string> {
              TW_ASSIGN(const SigningKey made, SigningKey::Generate(name));
              return made.ToString() + "\n";
            }));
  std::string_view text = file.text.view();
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto refuse = [](const std::string& cause) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("open key {}: {}", Quoted(kSigningKeyName), cause), "UNTRUSTED_KEY");
  };
  auto key = SigningKey::Parse(text);
  if (!key) return refuse(key.error().message);
  if (key->verifier().name() != name) {
    return refuse(fmt::format("it is of the log {}, this broker's is {}",
                              Quoted(key->verifier().name()), Quoted(name)));
  }
  return std::make_shared<const SigningKey>(*std::move(key));
}

}  // namespace tidewaiter::audit
