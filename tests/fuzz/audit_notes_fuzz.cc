// Any bytes as a file of checkpoints, a note, a checkpoint, a public key or a proof: what is read
// of them is written as it was read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "audit/byte_source.h"
#include "audit/checkpoint.h"
#include "audit/inclusion_proof.h"
#include "audit/note_reader.h"
#include "audit/signed_note.h"
#include "audit/signing_key.h"

namespace {

using namespace tidewaiter;

void Require(bool holds) {
  if (!holds) std::abort();
}

// Gives its bytes a few at a time.
class Trickle : public audit::ByteSource {
 public:
  explicit Trickle(std::string_view text) : text_(text) {}
  Result<std::size_t> Read(char* out, std::size_t room) override {
    const std::size_t n = text_.copy(out, std::min<std::size_t>(room, 7));
    text_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view text_;
};

void ReadNotes(std::string_view text) {
  Trickle source(text);
  audit::NoteReader notes(source);
  std::uint64_t before = 0;
  while (true) {
    const auto note = notes.Next();
    if (!note || !*note) return;
    Require(notes.whole() > before && notes.whole() <= text.size());
    Require(text.substr(0, static_cast<std::size_t>(notes.whole())).ends_with(**note));
    before = notes.whole();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  ReadNotes(text);
  if (const auto note = audit::SignedNote::Parse(text)) Require(note->ToString() == text);
  if (const auto checkpoint = audit::Checkpoint::Parse(text)) {
    Require(checkpoint->ToString() == text);
    if (const auto edge = checkpoint->Edge()) Require(edge->size() == checkpoint->size);
  }
  if (const auto key = audit::VerifierKey::Parse(text)) Require(key->ToString() == text);
  if (const auto proof = audit::InclusionProof::Parse(text)) {
    const auto again = audit::InclusionProof::Parse(proof->ToString());
    Require(again && again->ToString() == proof->ToString());
  }
  return 0;
}
