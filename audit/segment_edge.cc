#include "audit/segment_edge.h"

#include <fcntl.h>

#include <cerrno>
#include <string>

#include "audit/byte_source.h"
#include "audit/checkpoint.h"
#include "audit/note_reader.h"
#include "audit/segment_name.h"
#include "audit/signed_note.h"
#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

Result<CompactRange> ReadEdge(int directory, std::uint64_t first) {
  if (first == 0) return CompactRange();
  const std::string name = SegmentFileName(first, kCheckpointsSuffix);
  const UniqueFd fd(
      ::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return ErrnoError(errno, "open " + Quoted(name));
  FileSource source(fd.get(), 0, kMaxNoteBytes);
  NoteReader notes(source);
  TW_ASSIGN(const auto bytes, notes.Next());
  if (!bytes)
    return Fail(ErrorCode::kFailedPrecondition, "read " + Quoted(name) + ": no checkpoint");
  TW_ASSIGN(const SignedNote note, SignedNote::Parse(*bytes));
  TW_ASSIGN(const Checkpoint checkpoint, Checkpoint::Parse(note.text()));
  if (checkpoint.size != first) {
    return Fail(ErrorCode::kFailedPrecondition, "read " + Quoted(name) + ": of another segment");
  }
  return checkpoint.Edge();
}

}  // namespace tidewaiter::audit
