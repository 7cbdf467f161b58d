#include "policy/image_reference.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/printable.h"
#include "policy/repository_name.h"

namespace tidewaiter::policy {
namespace {

constexpr std::size_t kMaxReference = 4096;
constexpr std::size_t kMaxTag = 128;
constexpr std::string_view kHub = "docker.io";
constexpr std::string_view kHubAlias = "index.docker.io";

Error Invalid(std::string_view text, std::string_view cause) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("parse image {}: {}", Quoted(text), cause),
              "INVALID_IMAGE_REFERENCE");
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

bool HasUpper(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// Whether the first segment names a registry and not a part of the path. An upper-case "LOCALHOST"
// is a registry; any other upper-case word without '.' or ':' is not: in lower case it would turn
// into a path on Docker Hub.
bool LooksLikeRegistry(std::string_view segment) {
  return segment.find_first_of(".:") != std::string_view::npos || Lower(segment) == "localhost";
}

bool IsTag(std::string_view tag) noexcept {
  if (tag.empty() || tag.size() > kMaxTag || tag.front() == '.' || tag.front() == '-') return false;
  return std::all_of(tag.begin(), tag.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '.' || c == '-';
  });
}

}  // namespace

std::string ImageReference::Name() const {
  return registry + '/' + repository;
}

std::string ImageReference::Canonical() const {
  std::string text;
  text.reserve(registry.size() + repository.size() + tag.size() + digest.size() + 3);
  text += registry;
  text += '/';
  text += repository;
  if (!tag.empty()) {
    text += ':';
    text += tag;
  }
  if (!digest.empty()) {
    text += '@';
    text += digest;
  }
  return text;
}

bool IsDigest(std::string_view digest) noexcept {
  const std::size_t colon = digest.find(':');
  const std::string_view algorithm = digest.substr(0, colon);
  std::size_t hex_length = 0;
  if (algorithm == "sha256") hex_length = 64;
  if (algorithm == "sha512") hex_length = 128;
  if (hex_length == 0 || colon == std::string_view::npos) return false;
  const std::string_view hex = digest.substr(colon + 1);
  return hex.size() == hex_length && std::all_of(hex.begin(), hex.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<ImageReference> ParseImageReference(std::string_view text) {
  if (text.empty()) return Invalid(text, "it is empty, and an image is required");
  if (text.size() > kMaxReference) {
    return Invalid(text.substr(0, 64), fmt::format("it is longer than {} bytes", kMaxReference));
  }
  ImageReference image;
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    const std::string_view digest = rest.substr(at + 1);
    if (!IsDigest(digest)) {
      return Invalid(text, fmt::format("the digest {} is not 'sha256:' and 64 or 'sha512:' and 128 "
                                       "lower-case hexadecimal digits",
                                       Quoted(digest)));
    }
    image.digest = digest;
    rest = rest.substr(0, at);
  }
  // A colon after the last slash starts a tag; one before it belongs to the registry's port.
  const std::size_t last_slash = rest.rfind('/');
  const std::size_t path_begin = last_slash == std::string_view::npos ? 0 : last_slash + 1;
  if (const std::size_t colon = rest.find(':', path_begin); colon != std::string_view::npos) {
    const std::string_view tag = rest.substr(colon + 1);
    if (!IsTag(tag)) {
      return Invalid(text, fmt::format("the tag {} is not 1 to {} of letters, digits, '_', '.' and "
                                       "'-', the first no '.' or '-'",
                                       Quoted(tag), kMaxTag));
    }
    image.tag = tag;
    rest = rest.substr(0, colon);
  }
  const std::size_t slash = rest.find('/');
  std::string_view path = rest;
  image.registry = kHub;
  if (slash != std::string_view::npos && LooksLikeRegistry(rest.substr(0, slash))) {
    image.registry = Lower(rest.substr(0, slash));
    if (!IsRegistryName(image.registry)) {
      return Invalid(text, fmt::format("the registry {} is not a host name or [IPv6 address] with "
                                       "an optional port",
                                       Quoted(rest.substr(0, slash))));
    }
    if (image.registry == kHubAlias) image.registry = kHub;
    path = rest.substr(slash + 1);
  } else if (slash == std::string_view::npos && IsDigest(fmt::format("sha256:{}", rest))) {
    return Invalid(text, "64 hexadecimal digits alone could be an image id and not a name");
  }
  if (!IsRepositoryPath(path)) {
    return Invalid(
        text,
        fmt::format("the path {} {}", Quoted(path),
                    HasUpper(path) ? "holds upper-case letters, and only lower case is valid"
                                   : "is not '/'-separated segments of lower-case letters and "
                                     "digits, joined by '.', '_', '__' or '-'"));
  }
  if (image.registry == kHub && path.find('/') == std::string_view::npos) {
    image.repository = "library/";
  }
  image.repository += path;
  if (image.registry.size() + 1 + image.repository.size() > kMaxImageName) {
    return Invalid(text, fmt::format("the name without tag and digest is longer than {} bytes",
                                     kMaxImageName));
  }
  return image;
}

}  // namespace tidewaiter::policy
