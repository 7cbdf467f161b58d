#include "audit/signed_note.h"

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

constexpr std::string_view kDash = "\xE2\x80\x94 ";  // U+2014 and a space
constexpr std::size_t kIdBytes = 4;

Error Refuse(std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument, "read signed note: " + std::string(why));
}

bool IsPlain(std::string_view bytes) {
  return IsUtf8(bytes) && std::all_of(bytes.begin(), bytes.end(), [](char c) {
           return c == '\n' || static_cast<unsigned char>(c) >= 0x20;
         });
}

}  // namespace

Result<SignedNote> SignedNote::Parse(std::string_view bytes) {
  if (bytes.size() > kMaxNoteBytes) return Refuse("it is too long");
  if (!IsPlain(bytes)) return Refuse("it has a control character, or is not UTF-8");
  // The last one: the text may have empty lines of its own.
  const std::size_t end = bytes.rfind("\n\n");
  if (end == std::string_view::npos) return Refuse("no empty line ends its text");
  SignedNote note;
  note.text_ = bytes.substr(0, end + 1);
  std::string_view rest = bytes.substr(end + 2);
  if (rest.empty()) return Refuse("it has no signature");
  while (!rest.empty()) {
    const std::size_t feed = rest.find('\n');
    if (feed == std::string_view::npos) return Refuse("its last line does not end");
    std::string_view line = rest.substr(0, feed);
    rest.remove_prefix(feed + 1);
    if (!line.starts_with(kDash)) return Refuse("a line after its text is no signature");
    line.remove_prefix(kDash.size());
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || !IsKeyName(line.substr(0, space))) {
      return Refuse("a signature has no name");
    }
    auto signature = DecodePaddedBase64(line.substr(space + 1));
    if (!signature || signature->size() <= kIdBytes) return Refuse("a signature is not base64");
    if (note.signatures_.size() == kMaxNoteSignatures) return Refuse("it has too many signatures");
    note.signatures_.push_back({.name = std::string(line.substr(0, space)),
                                .id = signature->substr(0, kIdBytes),
                                .bytes = signature->substr(kIdBytes)});
  }
  return note;
}

Result<SignedNote> SignedNote::Sign(std::string text, const std::vector<const SigningKey*>& keys) {
  if (!IsPlain(text) || !text.ends_with('\n') || text.size() > kMaxNoteBytes / 2 || keys.empty() ||
      keys.size() > kMaxNoteSignatures) {
    return Fail(ErrorCode::kInvalidArgument, "sign a note: what is signed would be no note");
  }
  SignedNote note;
  note.text_ = std::move(text);
  for (const SigningKey* key : keys) {
    TW_ASSIGN(std::string signature, key->Sign(note.text_));
    note.signatures_.push_back({.name = key->verifier().name(),
                                .id = key->verifier().id(),
                                .bytes = std::move(signature)});
  }
  return note;
}

std::string SignedNote::ToString() const {
  std::string bytes = text_ + "\n";
  for (const Signature& signature : signatures_) {
    bytes += kDash;
    bytes += signature.name + " " + EncodeBase64(signature.id + signature.bytes) + "\n";
  }
  return bytes;
}

std::string SignedNote::LastSigner(std::string_view name) const {
  const auto last = std::find_if(signatures_.rbegin(), signatures_.rend(),
                                 [name](const Signature& each) { return each.name == name; });
  return last == signatures_.rend() ? std::string() : last->id;
}

bool SignedNote::IsSignedBy(const VerifierKey& key) const {
  bool found = false;
  for (const Signature& signature : signatures_) {
    if (signature.name != key.name() || signature.id != key.id()) continue;
    if (!key.Verifies(text_, signature.bytes)) return false;
    found = true;
  }
  return found;
}

}  // namespace tidewaiter::audit
