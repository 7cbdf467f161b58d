#include "policy/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "policy/rules.h"
#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Evaluate, AdmittedRunCarriesPolicyNameAndHash) {
  const auto set = LoadSet(Toml());
  const Decision decision = Evaluate(*set->Find("default"), AdmittedSpec(), FakeHostPaths());
  ASSERT_NE(decision.admitted(), nullptr);
  EXPECT_EQ(decision.admitted()->policy_name(), "default");
  EXPECT_EQ(decision.admitted()->policy_hash(), set->hash());
  EXPECT_THAT(decision.violations(), IsEmpty());
}

TEST(Evaluate, ListsEveryViolationInTheOrderOfTheSpecsFields) {
  RunSpec spec;
  spec.idempotency_key = "\n";
  spec.backend = "a b";
  spec.tenant.job = "\n";
  spec.seccomp_profile = "x";
  spec.runtime = "x";
  spec.add_capabilities = {"KILL"};
  spec.mounts = {{"/etc", true, TmpfsMount{}}};
  spec.network = NetworkMode::kBridge;
  spec.limits.pids = 0;
  spec.labels = {{"io.tidewaiter.x", ""}};
  spec.user = "0";
  spec.working_dir = "x";
  spec.env = {{"", ""}};
  spec.command = {""};
  spec.image = "ghcr.io/other/x:latest";
  const auto set = LoadSet(Toml());
  const Decision decision = Evaluate(*set->Find("default"), spec, FakeHostPaths());
  EXPECT_EQ(decision.admitted(), nullptr);
  EXPECT_THAT(
      Broken(decision),
      ElementsAre("image.tag-not-semver image", "image.digest-required image",
                  "image.repository-not-allowed image", "command.invalid command[0]",
                  "env.name-invalid env['']", "working-dir.invalid workingDir", "user.root user",
                  "label.reserved labels['io.tidewaiter.x']", "limit.not-positive limits.pids",
                  "network.mode-not-allowed network.mode",
                  "mount.target-forbidden mounts[0].target",
                  "capability.not-allowed addCapabilities[0]", "runtime.not-allowed runtime",
                  "seccomp.not-allowed seccompProfile", "tenant.invalid tenant.job",
                  "backend.invalid backend", "idempotency-key.invalid idempotencyKey"));
}

TEST(Evaluate, ViolationsArePrintable) {
  RunSpec spec = AdmittedSpec();
  spec.image = "\x1b[2J\n\xE2\x80\xAE" + std::string(3000, 'x');
  spec.user = "\r\x07";
  spec.labels = {{"\x1b]0;x\x07", ""}};
  const auto set = LoadSet(Toml());
  const Decision decision = Evaluate(*set->Find("default"), spec, FakeHostPaths());
  ASSERT_EQ(decision.violations().size(), 3U);
  for (const Violation& violation : decision.violations()) {
    for (const std::string& text : {violation.field, violation.message, violation.remedy}) {
      EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) {
        return c >= 0x20 && c < 0x7f;
      })) << text;
      EXPECT_LT(text.size(), 600U);
      EXPECT_FALSE(text.empty());
    }
  }
}

TEST(Rules, IdsAreUnique) {
  std::set<std::string_view> ids;
  for (const rule::Description& each : rule::kAll)
    EXPECT_TRUE(ids.insert(each.id).second) << each.id;
}

}  // namespace
}  // namespace tidewaiter::policy
