#include "audit/key_ring.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "audit/public_keys.h"
#include "audit/signed_note.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

// A log hands itself over some times in its life, and under its newest key all of it is believed at
// once, at its end; a hostile one may say so in each line.
constexpr std::size_t kMaxNoted = 2 * kMaxPublicKeys;
constexpr std::size_t kMaxKnown = 2 * kMaxPublicKeys;

}  // namespace

KeyRing::KeyRing(VerifierKey given, const std::vector<VerifierKey>& hints) : current_(given) {
  known_.emplace_back(std::move(given));
  known_.front().standing = Standing::kBelieved;
  known_.front().vouched = true;
  for (const VerifierKey& hint : hints) {
    if (hint.name() == current_.name() && hint != current_) known_.emplace_back(hint);
  }
}

Result<KeyRing::Reading> KeyRing::Read(std::string_view bytes) const {
  TW_ASSIGN(const SignedNote note, SignedNote::Parse(bytes));
  Reading reading;
  TW_ASSIGN(reading.checkpoint, Checkpoint::Parse(note.text()));
  const auto refuse = [&reading](const std::string& cause) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("read checkpoint of {} records: {}", reading.checkpoint.size, cause));
  };
  if (reading.checkpoint.origin != current_.name()) {
    return refuse(fmt::format("it is of the log {}, the key is that of {}",
                              Quoted(reading.checkpoint.origin), Quoted(current_.name())));
  }
  for (const Known& known : known_) {
    if (!note.IsSignedBy(known.key)) continue;
    if (known.standing == Standing::kBelieved) {
      reading.signers.push_back(known.text);
    } else {
      reading.others.push_back(known.text);
    }
  }
  if (reading.Believed()) reading.others.clear();
  if (reading.Believed() || !reading.others.empty()) return reading;
  return refuse("it is not signed by the key " + current_.ToString() +
                ", nor by one that a record which is here hands the log over to");
}

void KeyRing::Use(const Reading& reading) {
  if (!reading.Believed() && used_.size() < kMaxKnown) used_.insert(reading.others);
}

void KeyRing::NoteRemoval(std::uint64_t kept_from) noexcept {
  noted_removal_ = std::max(noted_removal_, kept_from);
}

void KeyRing::Forget() noexcept {
  noted_.clear();
  noted_removal_ = 0;
}

void KeyRing::Note(std::string_view former, std::string_view next) {
  if (noted_.size() < kMaxNoted) noted_.emplace_back(former, next);
}

KeyRing::Known* KeyRing::Find(std::string_view text) {
  const auto parsed = VerifierKey::Parse(text);
  if (!parsed || parsed->name() != current_.name()) return nullptr;
  const auto found = std::find_if(known_.begin(), known_.end(),
                                  [&parsed](const Known& each) { return each.key == *parsed; });
  if (found != known_.end()) return &*found;
  if (known_.size() == kMaxKnown) return nullptr;
  known_.emplace_back(*parsed);
  return &known_.back();
}

void KeyRing::Believe(const std::vector<std::string>& signers) {
  for (const auto& [former_text, next_text] : noted_) {
    // Twice, since the second may move what the first has found.
    if (Find(former_text) == nullptr) continue;
    Known* const next = Find(next_text);
    Known* const former = Find(former_text);
    if (next == nullptr || next == former) continue;
    former->vouched = next->vouched = true;
    if (former->standing != Standing::kBelieved) continue;
    next->standing = Standing::kBelieved;
    former->successor = next->text;
    current_ = next->key;
    ++age_;
  }
  removed_to_ = std::max(removed_to_, noted_removal_);
  Forget();
  // Once the successor has signed, the former key is out of office: whoever has got hold of it
  // proves nothing any more.
  for (Known& each : known_) {
    if (std::find(signers.begin(), signers.end(), each.successor) == signers.end()) continue;
    each.standing = Standing::kFormer;
    ++age_;
  }
}

std::optional<std::string> KeyRing::FindUnvouched() const {
  const auto vouched = [this](const std::string& text) {
    return std::any_of(known_.begin(), known_.end(),
                       [&text](const Known& each) { return each.vouched && each.text == text; });
  };
  // Of two that signed one checkpoint, the record that vouches for the older may have been removed.
  for (const std::vector<std::string>& signers : used_) {
    if (std::none_of(signers.begin(), signers.end(), vouched)) return signers.front();
  }
  return std::nullopt;
}

}  // namespace tidewaiter::audit
