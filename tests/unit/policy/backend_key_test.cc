// The policy's `backend`, and what a run knows of its policy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/backends.h"
#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(BackendKey, IsTheBackendOfRunsThatNameNone) {
  EXPECT_EQ(Effective(Toml(), AdmittedSpec()).backend, "");
  const std::string toml = "backend = \"kubernetes\"\n" + Toml();
  EXPECT_EQ(Effective(toml, AdmittedSpec()).backend, "kubernetes");
  RunSpec spec = AdmittedSpec();
  spec.backend = "docker";
  EXPECT_EQ(Effective(toml, spec).backend, "docker");
}

TEST(BackendKey, IsInheritedAndMayDifferFromTheParents) {
  const auto set =
      LoadSet("backend = \"kubernetes\"\n" + Toml() +
              "[policy.same]\ninherits = \"default\"\n[policy.other]\ninherits = \"default\"\n"
              "backend = \"docker\"\n[policy.below]\ninherits = \"other\"\n");
  ASSERT_NE(set, nullptr);
  const auto backend = [&](std::string_view policy) {
    return Evaluate(*set->Find(policy), AdmittedSpec(), FakeHostPaths())
        .admitted()
        ->effective()
        .backend;
  };
  EXPECT_EQ(backend("same"), "kubernetes");
  EXPECT_EQ(backend("other"), "docker");
  EXPECT_EQ(backend("below"), "docker");
}

TEST(BackendKey, AnUnknownNameDoesNotLoadAndIsToldWithItsPlace) {
  EXPECT_THAT(LoadError("version = 1\nbackend = \"swarm\"\n"),
              StartsWith("policy.toml:2:11: 'backend' is 'swarm': \"docker\" or \"kubernetes\""));
  EXPECT_THAT(LoadError("version = 1\nbackend = \"\"\n"), StartsWith("policy.toml:2:11: "));
  EXPECT_THAT(LoadError(Toml() + "[policy.a]\ninherits = \"default\"\nbackend = \"Docker\"\n"),
              HasSubstr("policy.toml:6:11: 'policy.a.backend' is 'Docker'"));
}

TEST(EffectiveRun, KnowsItsPolicysModeAndDefaults) {
  const EffectiveRun plain = Effective(Toml(), AdmittedSpec());
  EXPECT_EQ(plain.default_pids, 256);
  EXPECT_EQ(plain.default_open_files, 1024);
  EXPECT_EQ(plain.default_input_bytes, std::int64_t{256} << 20U);
  EXPECT_FALSE(plain.development);

  RunSpec spec = AdmittedSpec();
  spec.limits.pids = 5;
  spec.limits.open_files = 50;
  spec.limits.input_bytes = 500;
  const EffectiveRun asked =
      Effective("mode = \"development\"\n" + Toml("[limits.pids]\ndefault = 7\n"
                                                  "[limits.open_files]\ndefault = 70\n"
                                                  "[limits.input]\ndefault = 700\n"),
                spec);
  EXPECT_EQ(asked.default_pids, 7);
  EXPECT_EQ(asked.default_open_files, 70);
  EXPECT_EQ(asked.default_input_bytes, 700);
  EXPECT_TRUE(asked.development);
}

TEST(EffectiveRun, AChildOfADevelopmentPolicyIsOne) {
  const auto set =
      LoadSet("mode = \"development\"\n" + Toml() + "[policy.child]\ninherits = \"default\"\n");
  ASSERT_NE(set, nullptr);
  const Decision decision = Evaluate(*set->Find("child"), AdmittedSpec(), FakeHostPaths());
  ASSERT_NE(decision.admitted(), nullptr);
  EXPECT_TRUE(decision.admitted()->effective().development);
}

TEST(UnknownBackend, SaysWhichThereAre) {
  EXPECT_EQ(UnknownBackend("swarm", {kDocker, kKubernetes}).remedy, "one of: docker, kubernetes");
  EXPECT_EQ(UnknownBackend("swarm", {}).remedy, "no backend is configured");
}

}  // namespace
}  // namespace tidewaiter::policy
