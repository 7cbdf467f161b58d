#include "broker/io/http_head.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace tidewaiter::io {
namespace {

bool IsDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool IsTokenChar(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string_view Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// Cuts off and returns the first line without its end; nothing where none ends.
std::optional<std::string_view> NextLine(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

// The status of `HTTP/1.x NNN` and what follows.
std::optional<int> StatusOf(std::string_view line) {
  constexpr std::size_t kStatusAt = std::string_view("HTTP/1.x ").size();
  const bool is_http = line.starts_with("HTTP/1.") && line.size() >= kStatusAt + 3 &&
                       IsDigit(line[kStatusAt - 2]) && line[kStatusAt - 1] == ' ' &&
                       (line.size() == kStatusAt + 3 || line[kStatusAt + 3] == ' ');
  if (!is_http) return std::nullopt;
  const std::string_view digits = line.substr(kStatusAt, 3);
  if (!std::all_of(digits.begin(), digits.end(), IsDigit) || digits[0] == '0') return std::nullopt;
  int status = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), status);
  return status;
}

// What follows the first line, to the blank line at the end.
std::optional<HttpHeaders> ReadFields(std::string_view text) {
  HttpHeaders headers;
  for (;;) {
    const std::optional<std::string_view> line = NextLine(text);
    if (!line) return std::nullopt;
    if (line->empty()) return text.empty() ? std::optional(std::move(headers)) : std::nullopt;
    std::optional<HttpHeaders::value_type> header = ParseHttpHeader(*line);
    if (!header) return std::nullopt;
    headers.push_back(*std::move(header));
  }
}

}  // namespace

bool IsHttpToken(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenChar);
}

std::optional<HttpHeaders::value_type> ParseHttpHeader(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trimmed(line.substr(colon + 1));
  if (!IsHttpToken(name) ||
      value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
    return std::nullopt;
  }
  return HttpHeaders::value_type(Lower(name), std::string(value));
}

std::optional<HttpHead> ParseHttpHead(std::string_view text) {
  const std::optional<std::string_view> first = NextLine(text);
  if (!first) return std::nullopt;
  const std::optional<int> status = StatusOf(*first);
  if (!status) return std::nullopt;
  std::optional<HttpHeaders> headers = ReadFields(text);
  if (!headers) return std::nullopt;
  return HttpHead{.status = *status, .headers = *std::move(headers)};
}

std::optional<HttpRequestHead> ParseHttpRequestHead(std::string_view text) {
  const std::optional<std::string_view> first = NextLine(text);
  if (!first) return std::nullopt;
  const std::size_t target_at = first->find(' ');
  const std::size_t version_at = first->rfind(' ');
  if (target_at == std::string_view::npos || target_at == version_at) return std::nullopt;
  const std::string_view method = first->substr(0, target_at);
  const std::string_view target = first->substr(target_at + 1, version_at - target_at - 1);
  const std::string_view version = first->substr(version_at + 1);
  const bool is_path =
      target.starts_with('/') &&
      std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  const bool is_http = version.size() == std::string_view("HTTP/1.x").size() &&
                       version.starts_with("HTTP/1.") && IsDigit(version.back());
  if (!IsHttpToken(method) || !is_path || !is_http) return std::nullopt;
  std::optional<HttpHeaders> headers = ReadFields(text);
  if (!headers) return std::nullopt;
  const std::size_t query_at = std::min(target.find('?'), target.size());
  const std::string_view query = target.substr(query_at);
  return HttpRequestHead{.method = std::string(method),
                         .path = std::string(target.substr(0, query_at)),
                         .query = std::string(query.empty() ? query : query.substr(1)),
                         .minor = version.back() - '0',
                         .headers = *std::move(headers)};
}

std::string_view FindHeader(const HttpHeaders& headers, std::string_view name) noexcept {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace tidewaiter::io
