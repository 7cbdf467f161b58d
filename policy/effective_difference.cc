#include "policy/effective_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "policy/limit_table.h"

namespace tidewaiter::policy {
namespace {

class Differences {
 public:
  void Note(std::string_view field, bool differs) {
    if (differs) fields_.emplace_back(field);
  }
  std::vector<std::string> Take() { return std::move(fields_); }

 private:
  std::vector<std::string> fields_;
};

void NoteMounts(const std::vector<Mount>& a, const std::vector<Mount>& b, Differences& found) {
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const bool both = i < a.size() && i < b.size();
    found.Note(fmt::format("mounts[{}]", i), !both || a[i] != b[i]);
  }
}

}  // namespace

std::vector<std::string> DifferingFields(const EffectiveRun& a, const EffectiveRun& b) {
  Differences found;
  found.Note("image", a.image != b.image);
  found.Note("command", a.command != b.command);
  found.Note("env", a.env != b.env);
  found.Note("workingDir", a.working_dir != b.working_dir);
  found.Note("user", a.user != b.user);
  found.Note("labels", a.labels != b.labels);
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    found.Note(fmt::format("limits.{}", kLimits[i].json_field),
               GetLimit(a.limits, i) != GetLimit(b.limits, i));
  }
  found.Note("network", a.network != b.network);
  NoteMounts(a.mounts, b.mounts, found);
  found.Note("addCapabilities", a.add_capabilities != b.add_capabilities);
  found.Note("readOnlyRootfs", a.read_only_rootfs != b.read_only_rootfs);
  found.Note("runtime", a.runtime != b.runtime);
  found.Note("seccompProfile", a.seccomp_profile != b.seccomp_profile);
  found.Note("tenant", a.tenant != b.tenant);
  found.Note("backend", a.backend != b.backend);
  found.Note("idempotencyKey", a.idempotency_key != b.idempotency_key);
  found.Note("images.verify_tag", a.verify_tag != b.verify_tag);
  return found.Take();
}

}  // namespace tidewaiter::policy
