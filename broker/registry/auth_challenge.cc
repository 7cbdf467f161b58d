#include "broker/registry/auth_challenge.h"

#include <algorithm>

#include "base/printable.h"

namespace tidewaiter::registry {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool IsTokenChar(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}

// Reads from the front of `text_`.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool AtEnd() const { return text_.empty(); }
  void SkipSpaces() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
  }
  bool Skip(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::string_view Token() {
    const auto end = std::find_if_not(text_.begin(), text_.end(), IsTokenChar);
    const auto length = static_cast<std::size_t>(end - text_.begin());
    const std::string_view token = text_.substr(0, length);
    text_.remove_prefix(length);
    return token;
  }
  // token or quoted-string; nothing where it is neither.
  std::optional<std::string> Value() {
    if (!Skip('"')) {
      const std::string_view token = Token();
      if (token.empty()) return std::nullopt;
      return std::string(token);
    }
    std::string value;
    while (!text_.empty()) {
      const char c = text_.front();
      text_.remove_prefix(1);
      if (c == '"') return value;
      if (c == '\\') {
        if (text_.empty()) return std::nullopt;
        value += text_.front();
        text_.remove_prefix(1);
      } else {
        value += c;
      }
    }
    return std::nullopt;
  }

 private:
  std::string_view text_;
};

}  // namespace

std::optional<AuthChallenge> ParseAuthChallenge(std::string_view header) {
  if (header.size() > 4096 || HasControl(header)) return std::nullopt;
  Reader reader(header);
  reader.SkipSpaces();
  const std::string scheme = Lower(reader.Token());
  AuthChallenge challenge;
  if (scheme == "bearer") {
    challenge.scheme = AuthChallenge::Scheme::kBearer;
  } else if (scheme != "basic") {
    return std::nullopt;
  }
  reader.SkipSpaces();
  while (!reader.AtEnd()) {
    const std::string name = Lower(reader.Token());
    reader.SkipSpaces();
    if (name.empty()) return std::nullopt;
    if (!reader.Skip('=')) break;  // no parameter but the scheme of a second challenge
    reader.SkipSpaces();
    std::optional<std::string> value = reader.Value();
    if (!value) return std::nullopt;
    if (name == "realm") challenge.realm = *value;
    if (name == "service") challenge.service = *value;
    if (name == "scope") challenge.scope = *value;
    reader.SkipSpaces();
    if (!reader.AtEnd() && !reader.Skip(',')) return std::nullopt;
    reader.SkipSpaces();
  }
  if (challenge.scheme == AuthChallenge::Scheme::kBearer && challenge.realm.empty()) {
    return std::nullopt;
  }
  return challenge;
}

}  // namespace tidewaiter::registry
