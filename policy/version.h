// Semantic Versioning 2.0.0 (semver.org), with the bounds of node-semver: numbers up to 2^53-1, 256
// bytes in all. Pure. Thread: any.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter::policy {

inline constexpr std::uint64_t kMaxVersionNumber = (std::uint64_t{1} << 53U) - 1;
inline constexpr std::size_t kMaxVersionLength = 256;

struct Version {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::uint64_t patch = 0;
  std::string prerelease;  // "rc.1"; empty: a release
  std::string build;       // "exp.sha.5114f85"; ignored in comparisons

  // MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]
  [[nodiscard]] std::string ToString() const;
  [[nodiscard]] bool SameTuple(const Version& other) const noexcept {
    return major == other.major && minor == other.minor && patch == other.patch;
  }
  // Precedence (clause 11): build metadata does not take part, so two versions that differ in it
  // alone compare equal here.
  [[nodiscard]] std::strong_ordering Compare(const Version& other) const noexcept;
};

// The whole of `text` as a version, without any prefix; nothing where it is none.
std::optional<Version> ParseVersion(std::string_view text);

// The whole of a tag as a version: one leading 'v' may stand before it, and a '_' means the '+'
// that tags cannot hold (as Helm writes it).
std::optional<Version> ParseTagVersion(std::string_view tag);

// Whether `text` is dot-separated pre-release identifiers ([0-9A-Za-z-]+, numbers without leading
// zeros).
bool IsPrerelease(std::string_view text) noexcept;
// The same for build metadata, where leading zeros are allowed.
bool IsBuildMetadata(std::string_view text) noexcept;
// A plain decimal without leading zeros, up to kMaxVersionNumber.
std::optional<std::uint64_t> ParseVersionNumber(std::string_view text) noexcept;

}  // namespace tidewaiter::policy
