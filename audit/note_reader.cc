#include "audit/note_reader.h"

#include "audit/signed_note.h"

namespace tidewaiter::audit {

Result<std::optional<std::string>> NoteReader::Next() {
  std::string note;
  bool in_text = true;
  std::uint64_t end = lines_.offset();
  while (true) {
    TW_ASSIGN(const std::optional<std::string_view> line, lines_.Next());
    if (!line || (line->empty() && !in_text)) break;
    if (line->empty()) {
      // Before the text: what separates it from the note before.
      if (note.empty()) continue;
      in_text = false;
    }
    note += *line;
    note += '\n';
    if (note.size() > kMaxNoteBytes) {
      return Fail(ErrorCode::kFailedPrecondition, "read checkpoints: one is too long");
    }
    end = lines_.offset();
  }
  // Without a signature line it is torn.
  if (in_text || note.ends_with("\n\n")) return std::nullopt;
  whole_ = end;
  return note;
}

}  // namespace tidewaiter::audit
