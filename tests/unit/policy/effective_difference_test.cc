#include "policy/effective_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "policy/limit_table.h"

namespace tidewaiter::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

EffectiveRun Example() {
  EffectiveRun run;
  run.image = *ParseImageReference("ghcr.io/team/job:1.2.3");
  run.mounts = {{"/data", true, BindMount{"/srv/data"}}, {"/tmp", false, TmpfsMount{4096}}};
  return run;
}

TEST(DifferingFields, EqualRunsDifferInNothing) {
  EXPECT_THAT(DifferingFields(Example(), Example()), IsEmpty());
}

// One change of each member, so that none can be forgotten: each is found, and alone.
TEST(DifferingFields, EveryFieldIsCompared) {
  const std::vector<std::pair<std::string, std::function<void(EffectiveRun&)>>> changes{
      {"image", [](EffectiveRun& run) { run.image.tag = "1.2.4"; }},
      {"command", [](EffectiveRun& run) { run.command = {"x"}; }},
      {"env", [](EffectiveRun& run) { run.env["A"] = "1"; }},
      {"workingDir", [](EffectiveRun& run) { run.working_dir = "/x"; }},
      {"user", [](EffectiveRun& run) { run.user.gid = 1; }},
      {"labels", [](EffectiveRun& run) { run.labels["a"] = "b"; }},
      {"network", [](EffectiveRun& run) { run.network = NetworkMode::kBridge; }},
      {"mounts[1]", [](EffectiveRun& run) { run.mounts[1].source = TmpfsMount{8192}; }},
      {"mounts[2]",
       [](EffectiveRun& run) {
         run.mounts.push_back({"/x", true, TmpfsMount{}});
       }},
      {"addCapabilities", [](EffectiveRun& run) { run.add_capabilities = {"KILL"}; }},
      {"readOnlyRootfs", [](EffectiveRun& run) { run.read_only_rootfs = false; }},
      {"runtime", [](EffectiveRun& run) { run.runtime = "runsc"; }},
      {"seccompProfile", [](EffectiveRun& run) { run.seccomp_profile = "strict"; }},
      {"tenant", [](EffectiveRun& run) { run.tenant.job = "7"; }},
      {"backend", [](EffectiveRun& run) { run.backend = "docker"; }},
      {"idempotencyKey", [](EffectiveRun& run) { run.idempotency_key = "k"; }},
      {"images.verify_tag", [](EffectiveRun& run) { run.verify_tag = !run.verify_tag; }},
  };
  for (const auto& [field, change] : changes) {
    EffectiveRun changed = Example();
    change(changed);
    EXPECT_THAT(DifferingFields(Example(), changed), ElementsAre(field));
    EXPECT_THAT(DifferingFields(changed, Example()), ElementsAre(field));
  }
}

// The policies differ, and the run does not.
TEST(DifferingFields, WhatARunOnlyKnowsOfItsPolicyIsNoDifference) {
  EffectiveRun changed = Example();
  changed.default_pids = changed.default_open_files = changed.default_input_bytes = 7;
  changed.development = true;
  EXPECT_THAT(DifferingFields(Example(), changed), IsEmpty());
}

TEST(DifferingFields, EveryLimitIsCompared) {
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    EffectiveRun changed = Example();
    SetLimit(changed.limits, i, 7);
    EXPECT_THAT(DifferingFields(Example(), changed),
                ElementsAre("limits." + std::string(kLimits[i].json_field)));
  }
}

}  // namespace
}  // namespace tidewaiter::policy
