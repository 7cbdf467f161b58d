#include "broker/forward/checkpoint_order.h"

#include <fmt/format.h>

#include "audit/checkpoint.h"
#include "base/printable.h"

namespace tidewaiter::forward {
namespace {

// The text of a signed note is what stands before its empty line.
Result<audit::Checkpoint> Read(std::string_view note) {
  const std::size_t end = note.find("\n\n");
  if (end != std::string_view::npos) note = note.substr(0, end + 1);
  return audit::Checkpoint::Parse(note);
}

Error Refuse(std::string what) {
  return Fail(ErrorCode::kFailedPrecondition,
              std::move(what) +
                  ": verify the log by the one that is kept there, then move that "
                  "one away",
              "LOG_CUT");
}

}  // namespace

Result<void> MayReplace(std::string_view kept, std::string_view note) {
  const Result<audit::Checkpoint> before = Read(kept);
  const Result<audit::Checkpoint> now = Read(note);
  if (!before || !now) return Ok();
  if (before->origin != now->origin) {
    return Refuse(fmt::format("what is kept there is of another log, {}", Quoted(before->origin)));
  }
  if (before->size > now->size) {
    return Refuse(fmt::format("what is kept there says that the log had {} records, and it has {}",
                              before->size, now->size));
  }
  if (before->size == now->size && before->root != now->root) {
    return Refuse(fmt::format("what is kept there is of other {} records", now->size));
  }
  return Ok();
}

}  // namespace tidewaiter::forward
