// Every rule that a run can break, by its stable id. Scripts and auditors rely on these: an id is
// never renamed and never reused. docs/POLICY.md shows a fragment that trips each (a test compares
// the two).
#pragma once

#include <array>
#include <string_view>

namespace tidewaiter::policy::rule {

inline constexpr std::string_view kImageInvalid = "image.invalid";
inline constexpr std::string_view kImageTagRequired = "image.tag-required";
inline constexpr std::string_view kImageTagNotSemver = "image.tag-not-semver";
inline constexpr std::string_view kImageDigestRequired = "image.digest-required";
inline constexpr std::string_view kImageNotAllowed = "image.repository-not-allowed";
inline constexpr std::string_view kImageVersion = "image.version-not-allowed";
inline constexpr std::string_view kImageDigest = "image.digest-not-allowed";
inline constexpr std::string_view kCommandInvalid = "command.invalid";
inline constexpr std::string_view kCommandTooLarge = "command.too-large";
inline constexpr std::string_view kEnvName = "env.name-invalid";
inline constexpr std::string_view kEnvValue = "env.value-invalid";
inline constexpr std::string_view kEnvTooLarge = "env.too-large";
inline constexpr std::string_view kWorkingDir = "working-dir.invalid";
inline constexpr std::string_view kUserInvalid = "user.invalid";
inline constexpr std::string_view kUserRoot = "user.root";
inline constexpr std::string_view kLabelName = "label.name-invalid";
inline constexpr std::string_view kLabelValue = "label.value-invalid";
inline constexpr std::string_view kLabelReserved = "label.reserved";
inline constexpr std::string_view kLabelTooLarge = "label.too-large";
inline constexpr std::string_view kLimitNotPositive = "limit.not-positive";
inline constexpr std::string_view kLimitTooSmall = "limit.too-small";
inline constexpr std::string_view kLimitTooLarge = "limit.too-large";
inline constexpr std::string_view kNetworkMode = "network.mode-not-allowed";
inline constexpr std::string_view kMountTooMany = "mount.too-many";
inline constexpr std::string_view kMountTargetInvalid = "mount.target-invalid";
inline constexpr std::string_view kMountTargetForbidden = "mount.target-forbidden";
inline constexpr std::string_view kMountTargetOverlaps = "mount.target-overlaps";
inline constexpr std::string_view kMountSourceMissing = "mount.source-missing";
inline constexpr std::string_view kMountSourceInvalid = "mount.source-invalid";
inline constexpr std::string_view kMountSourceForbidden = "mount.source-forbidden";
inline constexpr std::string_view kMountSourceNotAllowed = "mount.source-not-allowed";
inline constexpr std::string_view kMountSourceUntrusted = "mount.source-untrusted";
inline constexpr std::string_view kMountWritable = "mount.writable";
inline constexpr std::string_view kMountName = "mount.name-invalid";
inline constexpr std::string_view kMountOutput = "mount.output-conflict";
inline constexpr std::string_view kCapabilityUnknown = "capability.unknown";
inline constexpr std::string_view kCapabilityNotAllowed = "capability.not-allowed";
inline constexpr std::string_view kRootfsWritable = "rootfs.writable";
inline constexpr std::string_view kRuntime = "runtime.not-allowed";
inline constexpr std::string_view kSeccomp = "seccomp.not-allowed";
inline constexpr std::string_view kTenant = "tenant.invalid";
inline constexpr std::string_view kBackend = "backend.invalid";
inline constexpr std::string_view kIdempotencyKey = "idempotency-key.invalid";

struct Description {
  std::string_view id;
  std::string_view text;  // what is denied, in one line
};

// In the order of RunSpec's fields.
inline constexpr std::array<Description, 43> kAll{{
    {kImageInvalid, "the image is empty or no OCI reference"},
    {kImageTagRequired, "no tag, where the policy wants a semantic version"},
    {kImageTagNotSemver, "a tag that is no semantic version, where the policy wants one"},
    {kImageDigestRequired, "no digest, where the policy wants one"},
    {kImageNotAllowed, "no [[images.allow]] entry names the repository"},
    {kImageVersion, "no entry of the repository admits the version"},
    {kImageDigest, "no entry of the repository admits the digest (with this version)"},
    {kCommandInvalid, "an argument with a NUL byte or not UTF-8, or an empty program name"},
    {kCommandTooLarge, "more than 1,024 arguments or 256 KiB"},
    {kEnvName, "a name that is empty, too long, not UTF-8, or holds '=', NUL or a line break"},
    {kEnvValue, "a value with a NUL byte, not UTF-8, or over 128 KiB"},
    {kEnvTooLarge, "more than 256 variables or 256 KiB"},
    {kWorkingDir, "a working directory that is not an absolute, normal path"},
    {kUserInvalid, "a user that is not UID or UID:GID in plain decimals below 2^31"},
    {kUserRoot, "uid 0 or gid 0 without allow_root"},
    {kLabelName, "a label name that is empty, too long, not UTF-8, or holds control characters"},
    {kLabelValue, "a label value with a control character, not UTF-8, or over 4 KiB"},
    {kLabelReserved, "a label under io.tidewaiter, in whatever case"},
    {kLabelTooLarge, "more than 64 labels, or than 16 KiB of them"},
    {kLimitNotPositive, "a limit of zero, below zero, or that is no exact number"},
    {kLimitTooSmall, "a limit below what an engine can enforce"},
    {kLimitTooLarge, "a limit above the policy's maximum"},
    {kNetworkMode, "a network mode that [network] modes does not list"},
    {kMountTooMany, "more than 64 mounts"},
    {kMountTargetInvalid, "a target that is not an absolute, normal path"},
    {kMountTargetForbidden, "a target that is '/' or at or below a system path"},
    {kMountTargetOverlaps, "a target equal to another, or inside another, or inside /tmp"},
    {kMountSourceMissing, "a mount that says neither bind, tmpfs, input, output nor volume"},
    {kMountSourceInvalid, "a bind source that is not an absolute, normal path"},
    {kMountSourceForbidden, "a bind source that is, holds or is inside a system or engine path"},
    {kMountSourceNotAllowed, "a bind source outside of [mounts] allow"},
    {kMountSourceUntrusted, "a bind source that is absent or could be swapped by others"},
    {kMountWritable, "a writable bind without [mounts] writable"},
    {kMountName, "an input, output or volume name that is not plain"},
    {kMountOutput, "an output that is read-only or shares its name with another"},
    {kCapabilityUnknown, "a capability that Linux does not have"},
    {kCapabilityNotAllowed, "a capability that [capabilities] allow does not list"},
    {kRootfsWritable, "a writable root file system where [rootfs] allow_writable is false"},
    {kRuntime, "a runtime that [runtimes] allow does not list"},
    {kSeccomp, "a seccomp profile that [seccomp] allow does not list"},
    {kTenant, "a tenant field over 128 bytes, not UTF-8 or with control characters"},
    {kBackend, "a backend name that is not plain"},
    {kIdempotencyKey, "an idempotency key over 128 bytes or not printable ASCII"},
}};

}  // namespace tidewaiter::policy::rule
