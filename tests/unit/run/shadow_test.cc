// A policy that is tried beside the one in force, and policies that change between two runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Type = FakeAudit::Type;

class Shadow : public ::testing::Test, public CoreWorld {
 protected:
  // The world's policy, and what `toml` adds to it, tried beside it.
  void Try(const std::string& toml) {
    policies.Replace(
        {.enforced = policies.Get()->enforced, .shadow = ParsePolicy(PolicyToml() + toml)});
  }
  // Launches, and lets the container exit.
  Client RunToEnd(const policy::RunSpec& spec = Spec()) {
    Client client = Launch(spec);
    engine.WaitContainer(ran_++)->Exit(0);
    EXPECT_TRUE(client->WaitDone());
    return client;
  }
  void Enforce(const std::string& toml) {
    policies.Replace({.enforced = ParsePolicy(toml), .shadow = nullptr});
  }
  // The shadow's word in the one record of that type.
  std::optional<run::ShadowDecision> Recorded(Type type) {
    const auto events = audit.Of(type);
    EXPECT_EQ(events.size(), 1U);
    return events.empty() ? std::nullopt : events[0].shadow;
  }

 private:
  std::size_t ran_ = 0;
};

constexpr char kSmaller[] = "[limits.memory]\nmax = \"1GiB\"\n";

TEST_F(Shadow, WhatItWouldDenyRunsAndIsRecorded) {
  Try(kSmaller);
  policy::RunSpec spec = Spec();
  spec.limits.memory_bytes = std::int64_t{2} << 30U;
  Client client = RunToEnd(spec);
  EXPECT_TRUE(client->outcome().has_value());
  const auto shadow = Recorded(Type::kRunAdmitted);
  ASSERT_TRUE(shadow.has_value());
  EXPECT_FALSE(shadow->admitted);
  ASSERT_EQ(shadow->violations.size(), 1U);
  EXPECT_EQ(shadow->violations[0].rule, "limit.too-large");
  EXPECT_EQ(shadow->policy_name, "default");
  EXPECT_EQ(shadow->policy_hash, policies.Get()->shadow->hash());
  ExpectNothingLeft();
}

TEST_F(Shadow, WhatItWouldEnforceOtherwiseIsNamed) {
  Try(kSmaller);  // lowers the default of 2 GiB too
  RunToEnd();
  const auto shadow = Recorded(Type::kRunAdmitted);
  ASSERT_TRUE(shadow.has_value());
  EXPECT_TRUE(shadow->admitted);
  EXPECT_THAT(shadow->differing_fields, ElementsAre("limits.memoryBytes"));
  EXPECT_EQ(audit.Of(Type::kRunAdmitted)[0].effective->limits.memory_bytes, std::int64_t{2} << 30U);
}

TEST_F(Shadow, WhatItWouldAdmitStaysDeniedAndIsRecorded) {
  Try("[user]\nallow_root = true\n");
  policy::RunSpec spec = Spec();
  spec.user = "0";
  Client client = Launch(spec);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->violations().size(), 1U);
  const auto shadow = Recorded(Type::kRunDenied);
  ASSERT_TRUE(shadow.has_value());
  EXPECT_TRUE(shadow->admitted);
  EXPECT_THAT(shadow->differing_fields, IsEmpty());
  EXPECT_THAT(trace.Of("engine:"), IsEmpty());
}

TEST_F(Shadow, ADenialForOtherReasonsIsRecorded) {
  Try(kSmaller);
  policy::RunSpec spec = Spec();
  spec.user = "0";
  spec.limits.memory_bytes = std::int64_t{2} << 30U;
  Client client = Launch(spec);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->violations().size(), 1U);
  const auto shadow = Recorded(Type::kRunDenied);
  ASSERT_TRUE(shadow.has_value());
  EXPECT_EQ(shadow->violations.size(), 2U);
}

TEST_F(Shadow, WhereBothSayTheSameNothingIsRecorded) {
  Try("[user]\nallow_root = true\n");
  RunToEnd();
  EXPECT_FALSE(Recorded(Type::kRunAdmitted).has_value());
  policy::RunSpec spec = Spec();
  spec.image = "docker.io/evil/job:1.0.0";
  ASSERT_TRUE(Launch(spec)->WaitDone());
  EXPECT_FALSE(Recorded(Type::kRunDenied).has_value());
}

TEST_F(Shadow, TheSameFileIsNoDifference) {
  policies.Replace({.enforced = policies.Get()->enforced, .shadow = policies.Get()->enforced});
  RunToEnd();
  EXPECT_FALSE(Recorded(Type::kRunAdmitted).has_value());
}

// Policies are compared, not what an engine can do at that moment.
TEST_F(Shadow, WhatTheBackendRefusesIsNoDifferenceOfPolicies) {
  Try(kSmaller);
  engine.Refuse({.rule = "backend.unsupported", .field = "runtime", .message = "", .remedy = ""});
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->violations().size(), 1U);
  EXPECT_FALSE(Recorded(Type::kRunDenied).has_value());
}

TEST_F(Shadow, ACallerThatItDoesNotKnowIsADifference) {
  policies.Replace({.enforced = policies.Get()->enforced,
                    .shadow = ParsePolicy("version = 1\n[[images.allow]]\n"
                                          "repository = \"ghcr.io/team/*\"\n")});
  RunToEnd();
  const auto shadow = Recorded(Type::kRunAdmitted);
  ASSERT_TRUE(shadow.has_value());
  ASSERT_EQ(shadow->violations.size(), 1U);
  EXPECT_EQ(shadow->violations[0].rule, "principal.unknown");
}

TEST_F(Shadow, ARunIsDecidedByThePolicyOfItsMomentAndNamesIt) {
  const std::string before = policies.Get()->enforced->hash();
  RunToEnd();
  Enforce(PolicyToml() + std::string("[limits.pids]\nmax = 100\n"));
  const std::string after = policies.Get()->enforced->hash();
  ASSERT_NE(before, after);
  RunToEnd();
  const auto admitted = audit.Of(Type::kRunAdmitted);
  ASSERT_EQ(admitted.size(), 2U);
  EXPECT_EQ(admitted[0].policy_hash, before);
  EXPECT_EQ(admitted[1].policy_hash, after);
  EXPECT_EQ(admitted[1].effective->limits.pids, 100);
}

// Else a run could be admitted by a policy that a reload has replaced.
TEST_F(Shadow, AReloadSeesDecisionsThatAreNotOnRecordYet) {
  environment.settings.audit_deadline = kPatience;
  audit.Set(FakeAudit::Way::kHangs);
  Client client = Launch();
  ASSERT_TRUE(trace.WaitFor("journal:"));
  const auto retired =
      policies.Replace({.enforced = ParsePolicy("version = 1\n"), .shadow = nullptr});
  EXPECT_FALSE(retired->Peek().has_value());
  audit.Repair();
  EXPECT_TRUE(retired->Wait({}, Deadline::After(kPatience)).has_value());
  EXPECT_EQ(audit.Count(Type::kRunAdmitted), 1U);
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
}

TEST_F(Shadow, AnAdmittedRunGoesOnUnderThePolicyThatAdmittedIt) {
  const std::string before = policies.Get()->enforced->hash();
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  Enforce("version = 1\n");  // knows nobody and admits nothing
  client.Cancel();
  ASSERT_TRUE(client->WaitDone());
  const auto finished = audit.Of(Type::kRunFinished);
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_EQ(finished[0].policy_hash, before);
  ExpectNothingLeft();
}

}  // namespace
}  // namespace tidewaiter::testing
