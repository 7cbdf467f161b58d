#include "policy/effective_run.h"

#include <fmt/format.h>

#include "policy/limit_table.h"

namespace tidewaiter::policy {

RunSpec EffectiveRun::ToSpec() const {
  RunSpec spec;
  spec.image = image.Canonical();
  spec.command = command;
  spec.env = env;
  spec.working_dir = working_dir;
  spec.user = fmt::format("{}:{}", user.uid, user.gid);
  spec.labels = labels;
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    spec.limits.*kLimits[i].requested = GetLimit(limits, i);
  }
  spec.network = network;
  spec.mounts = mounts;
  spec.add_capabilities = add_capabilities;
  spec.read_only_rootfs = read_only_rootfs;
  spec.runtime = runtime;
  spec.seccomp_profile = seccomp_profile;
  spec.tenant = tenant;
  spec.backend = backend;
  spec.idempotency_key = idempotency_key;
  return spec;
}

}  // namespace tidewaiter::policy
