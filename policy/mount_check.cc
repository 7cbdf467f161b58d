#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>

#include "base/printable.h"
#include "base/trusted_path.h"
#include "policy/checks.h"
#include "policy/host_area.h"
#include "policy/listing.h"
#include "policy/plain_name.h"
#include "policy/rules.h"

namespace tidewaiter::policy {
namespace {

constexpr std::size_t kMaxMounts = 64;  // besides the one at /tmp that every run has
constexpr std::string_view kImpliedTarget = "/tmp";
constexpr std::string_view kNormalPath =
    "an absolute path without '.', '..', '//', a final '/' or control characters";

bool IsSoundPath(std::string_view path) {
  return IsNormalPath(path) && IsUtf8(path) && !HasControl(path);
}

std::string Field(std::size_t index, std::string_view rest) {
  return fmt::format("mounts[{}].{}", index, rest);
}

void CheckTarget(Check& check, std::size_t index) {
  const std::string& target = check.spec.mounts[index].target;
  if (!IsSoundPath(target)) {
    check.Deny(rule::kMountTargetInvalid, Field(index, "target"),
               fmt::format("target {} is not an absolute, normal path", Quoted(target)),
               std::string(kNormalPath));
    return;
  }
  if (const auto area = ForbiddenTarget(target)) {
    check.Deny(rule::kMountTargetForbidden, Field(index, "target"),
               fmt::format("target {} is forbidden by {}", Quoted(target), Quoted(*area)),
               "a folder of the run's own, as in '/data'");
  }
  for (std::size_t i = 0; i < index; ++i) {
    const std::string& other = check.spec.mounts[i].target;
    // One that is no path, or is '/', has a violation of its own.
    if (!IsSoundPath(other) || other == "/") continue;
    if (!Overlap(target, other)) continue;
    check.Deny(rule::kMountTargetOverlaps, Field(index, "target"),
               fmt::format("target {} {} mounts[{}].target {}", Quoted(target),
                           target == other ? "equals" : "overlaps", i, Quoted(other)),
               "targets of which none is inside another");
    return;
  }
  if (target != kImpliedTarget && IsAtOrBelow(target, kImpliedTarget)) {
    check.Deny(
        rule::kMountTargetOverlaps, Field(index, "target"),
        fmt::format("target {} is inside '/tmp', which every run has as a tmpfs", Quoted(target)),
        "a target outside of '/tmp', or '/tmp' itself");
  }
}

void CheckBind(Check& check, std::size_t index, const BindMount& bind) {
  const std::string& source = bind.source;
  if (!check.spec.mounts[index].read_only && !check.rules.writable_binds) {
    check.Deny(rule::kMountWritable, Field(index, "readOnly"),
               "a bind that the container may write to is not allowed", "true");
  }
  if (!IsSoundPath(source)) {
    check.Deny(rule::kMountSourceInvalid, Field(index, "bind.source"),
               fmt::format("source {} is not an absolute, normal path", Quoted(source)),
               std::string(kNormalPath));
    return;
  }
  const auto area = ForbiddenSource(source);
  if (area) {
    check.Deny(rule::kMountSourceForbidden, Field(index, "bind.source"),
               fmt::format("source {} is forbidden by {}", Quoted(source), Quoted(*area)),
               "a folder that neither is, holds nor is inside a system or engine path");
  }
  const auto& allowed = *check.rules.bind_sources;
  const bool listed = IsAtOrBelowAny(source, allowed);
  if (!listed) {
    check.Deny(
        rule::kMountSourceNotAllowed, Field(index, "bind.source"),
        fmt::format("source {} is not allowed", Quoted(source)),
        allowed.empty() ? "no bind: the policy allows none" : "at or below " + ListSome(allowed));
  }
  // The host is asked only about what the policy allows: an answer about any other path would tell
  // a stranger what is there.
  if (area || !listed) return;
  if (auto trusted = check.host.CheckTrusted(source); !trusted) {
    check.Deny(rule::kMountSourceUntrusted, Field(index, "bind.source"),
               std::move(trusted).error().message,
               "a regular file or folder that exists, without symbolic links on its way, whose "
               "every folder is owned by root or the broker and writable by no one else");
  }
}

void CheckName(Check& check, std::size_t index, std::string_view kind, const std::string& name) {
  if (IsPlainName(name)) return;
  check.Deny(rule::kMountName, Field(index, fmt::format("{}.name", kind)),
             fmt::format("{} name {} is not valid", kind, Quoted(name)),
             "1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit");
}

void CheckOutput(Check& check, std::size_t index, const OutputMount& output) {
  CheckName(check, index, "output", output.name);
  if (check.spec.mounts[index].read_only) {
    check.Deny(rule::kMountOutput, Field(index, "readOnly"), "an output cannot be read-only",
               "false");
  }
  for (std::size_t i = 0; i < index; ++i) {
    const auto* other = std::get_if<OutputMount>(&check.spec.mounts[i].source);
    if (other == nullptr || other->name != output.name) continue;
    check.Deny(rule::kMountOutput, Field(index, "output.name"),
               fmt::format("mounts[{}] has the output name {} too", i, Quoted(output.name)),
               "a name of its own for each output");
    return;
  }
}

// The effective mount of spec.mounts[index].
Mount CheckMount(Check& check, std::size_t index) {
  Mount mount = check.spec.mounts[index];
  CheckTarget(check, index);
  if (const auto* bind = std::get_if<BindMount>(&mount.source)) {
    CheckBind(check, index, *bind);
  } else if (auto* tmpfs = std::get_if<TmpfsMount>(&mount.source)) {
    if (tmpfs->size_bytes && !AdmitsLimit(check, kTmpfsLimit, *tmpfs->size_bytes)) {
      DenyLimit(check, kTmpfsLimit, *tmpfs->size_bytes, Field(index, "tmpfs.sizeBytes"));
    }
    tmpfs->size_bytes = tmpfs->size_bytes.value_or(check.run.limits.tmpfs_bytes);
  } else if (const auto* input = std::get_if<InputMount>(&mount.source)) {
    CheckName(check, index, "input", input->name);
    mount.read_only = true;  // inputs always are (run_spec.proto)
  } else if (const auto* output = std::get_if<OutputMount>(&mount.source)) {
    CheckOutput(check, index, *output);
  } else if (const auto* volume = std::get_if<VolumeMount>(&mount.source)) {
    CheckName(check, index, "volume", volume->name);
  } else {
    check.Deny(rule::kMountSourceMissing, fmt::format("mounts[{}]", index),
               "the mount has no source", "one of bind, tmpfs, input, output and volume");
  }
  return mount;
}

}  // namespace

void CheckMounts(Check& check) {
  const auto& mounts = check.spec.mounts;
  const bool has_tmp = std::any_of(mounts.begin(), mounts.end(), [](const Mount& mount) {
    return mount.target == kImpliedTarget;
  });
  if (mounts.size() > kMaxMounts + (has_tmp ? 1 : 0)) {
    check.Deny(rule::kMountTooMany, "mounts", fmt::format("{} mounts", mounts.size()),
               fmt::format("at most {}", kMaxMounts));
    return;
  }
  check.run.mounts.reserve(mounts.size() + 1);
  for (std::size_t i = 0; i < mounts.size(); ++i) check.run.mounts.push_back(CheckMount(check, i));
  if (has_tmp) return;
  check.run.mounts.push_back(
      {std::string(kImpliedTarget), false, TmpfsMount{check.run.limits.tmpfs_bytes}});
}

}  // namespace tidewaiter::policy
