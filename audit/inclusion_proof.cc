#include "audit/inclusion_proof.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "audit/hash_text.h"
#include "audit/signed_checkpoint.h"
#include "base/base64.h"

namespace tidewaiter::audit {
namespace {

constexpr std::string_view kHeader = "c2sp.org/tlog-proof@v1";
constexpr std::size_t kMaxHashes = 64;

Error Refuse(const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument, "read proof: " + why);
}

// The first line without its line feed, taken off `text`. All of it where there is none.
std::string_view TakeLine(std::string_view& text) {
  const std::size_t feed = text.find('\n');
  const std::string_view line = text.substr(0, feed);
  text.remove_prefix(feed == std::string_view::npos ? text.size() : feed + 1);
  return line;
}

bool TakePrefix(std::string_view& line, std::string_view prefix) {
  if (!line.starts_with(prefix)) return false;
  line.remove_prefix(prefix.size());
  return true;
}

}  // namespace

Result<InclusionProof> InclusionProof::Parse(std::string_view bytes) {
  if (bytes.size() > kMaxProofBytes) return Refuse("it is too long");
  if (TakeLine(bytes) != kHeader) return Refuse("its first line is not " + std::string(kHeader));
  InclusionProof proof;
  std::string_view line = TakeLine(bytes);
  if (TakePrefix(line, "extra ")) {
    auto extra = DecodePaddedBase64(line);
    if (!extra) return Refuse("its extra data is not base64");
    proof.line = *std::move(extra);
    line = TakeLine(bytes);
  }
  if (!TakePrefix(line, "index ")) return Refuse("it has no index");
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), proof.index);
  if (error != std::errc() || end != line.data() + line.size() ||
      line != std::to_string(proof.index)) {
    return Refuse("its index is no number");
  }
  for (line = TakeLine(bytes); !line.empty(); line = TakeLine(bytes)) {
    const auto hash = HashFromBase64(line);
    if (!hash) return Refuse("a line is not base64 of 32 bytes");
    if (proof.hashes.size() == kMaxHashes) return Refuse("it has too many hashes");
    proof.hashes.push_back(*hash);
  }
  if (bytes.empty()) return Refuse("it has no checkpoint");
  proof.checkpoint = bytes;
  return proof;
}

std::string InclusionProof::ToString() const {
  std::string text = fmt::format("{}\n", kHeader);
  if (!line.empty()) text += fmt::format("extra {}\n", EncodeBase64(line));
  text += fmt::format("index {}\n", index);
  for (const Hash& hash : hashes) text += ToBase64(hash) + "\n";
  return text + "\n" + checkpoint;
}

Result<Checkpoint> InclusionProof::Check(std::string_view record, const VerifierKey& key) const {
  TW_ASSIGN(Checkpoint covering, ReadSignedCheckpoint(checkpoint, key));
  TreeHasher hasher;
  const auto root = RootByInclusion(hasher, index, covering.size, hasher.Leaf(record), hashes);
  if (!root) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("check proof: it is none of record {} among {}", index, covering.size));
  }
  if (*root != covering.root) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("check proof: the record is not record {} of the log", index));
  }
  return covering;
}

}  // namespace tidewaiter::audit
