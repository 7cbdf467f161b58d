#include "base/mask_credentials.h"

#include <algorithm>

namespace tidewaiter {
namespace {

constexpr auto kNone = std::string_view::npos;
constexpr std::string_view kMask = "***";
constexpr std::string_view kScheme = "://";
constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kOpening = "'\"`([{<=,";
constexpr std::string_view kEndOfAuthority = "/?#'\"`)]}>,;";

struct Span {
  std::size_t from = 0;
  std::size_t to = 0;
};

bool IsDigest(std::string_view behind_at) {
  return behind_at.starts_with("sha256:") || behind_at.starts_with("sha512:");
}

std::size_t FirstAt(std::string_view text, std::size_t from) {
  std::size_t at = text.find('@', from);
  while (at != kNone && IsDigest(text.substr(at + 1))) at = text.find('@', at + 1);
  return at;
}

std::size_t LastAt(std::string_view word) {
  std::size_t at = word.rfind('@');
  while (at != kNone && IsDigest(word.substr(at + 1))) at = word.substr(0, at).rfind('@');
  return at;
}

// Of "host:443", and of "host:443:" and "host:..." in a sentence.
bool IsPort(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == ':' || c == '.'; });
}

// `word` begins `text` and has a "://" that ends at `from`, and no '@' behind that.
Span UnfinishedPassword(std::string_view text, std::string_view word, std::size_t from) {
  if (word.substr(from).starts_with('[')) return {};  // an IPv6 address
  const std::size_t end = std::min(word.find_first_of(kEndOfAuthority, from), word.size());
  const std::size_t colon = word.find(':', from);
  if (colon >= end || IsPort(word.substr(colon + 1, end - colon - 1))) return {};
  const std::size_t at = FirstAt(text, colon);
  if (at == kNone) return {.from = colon + 1, .to = word.size()};
  // A password with a blank in it can have an '@', too.
  return {.from = from, .to = LastAt(text.substr(0, text.find_first_of(kSpace, at)))};
}

// What is masked of `word`, with which `text` begins. May end beyond the word.
Span PasswordIn(std::string_view text, std::string_view word) {
  const std::size_t scheme = word.find(kScheme);
  const std::size_t at = LastAt(word);
  if (scheme != kNone && (at == kNone || at > scheme)) {
    const std::size_t from = scheme + kScheme.size();
    return at == kNone ? UnfinishedPassword(text, word, from) : Span{.from = from, .to = at};
  }
  const std::size_t from = std::min(word.find_first_not_of(kOpening), word.size());
  if (at == kNone || at < from || word[from] == '/') return {};
  return word.substr(from, at - from).find(':') == kNone ? Span() : Span{.from = from, .to = at};
}

}  // namespace

std::string MaskCredentials(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
    out += text.substr(0, begin);
    text.remove_prefix(begin);
    const std::string_view word = text.substr(0, text.find_first_of(kSpace));
    const Span password = PasswordIn(text, word);
    const std::size_t end = std::max(word.size(), password.to);
    if (password.from < password.to) {
      out += text.substr(0, password.from);
      out += kMask;
      out += text.substr(password.to, end - password.to);
    } else {
      out += text.substr(0, end);
    }
    text.remove_prefix(end);
  }
  return out;
}

}  // namespace tidewaiter
