#include "audit/signed_checkpoint.h"

#include <fmt/format.h>

#include <string>

#include "audit/signed_note.h"
#include "base/printable.h"

namespace tidewaiter::audit {

Result<Checkpoint> ReadSignedCheckpoint(std::string_view bytes, const VerifierKey& key) {
  TW_ASSIGN(const SignedNote note, SignedNote::Parse(bytes));
  TW_ASSIGN(Checkpoint checkpoint, Checkpoint::Parse(note.text()));
  const auto refuse = [&checkpoint](const std::string& cause) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("read checkpoint of {} records: {}", checkpoint.size, cause));
  };
  if (checkpoint.origin != key.name()) {
    return refuse(fmt::format("it is of the log {}, the key is that of {}",
                              Quoted(checkpoint.origin), Quoted(key.name())));
  }
  if (!note.IsSignedBy(key)) return refuse("it is not signed by the key " + key.ToString());
  return checkpoint;
}

}  // namespace tidewaiter::audit
