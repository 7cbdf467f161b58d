#include "broker/daemon/policy_reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>

#include "broker/daemon/preparation.h"
#include "tests/support/core_world.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::daemon {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Audit = testing::FakeAudit;

constexpr char kPolicy[] = "version = 1\n";
constexpr char kOther[] = "version = 1\n[network]\nmodes = [\"none\", \"isolated\"]\n";

class PolicyReloadTest : public ::testing::Test {
 protected:
  PolicyReloadTest() {
    config_.policy = folder_ / "policy.toml";
    config_.shadow_policy = folder_ / "next.toml";
    config_.state_dir = folder_ / "state";
    config_.audit_dir = folder_ / "audit";
    config_.audit_deadline = std::chrono::milliseconds(100);
    Write("tidewaiter.toml", "");
    Write("policy.toml", kPolicy);
    auto loaded = LoadPolicies(folder_ / "tidewaiter.toml", config_);
    EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
    policies_.Replace(loaded->policies);
  }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    ::chmod((folder_ / name).c_str(), 0600);
  }
  v1::ReloadPolicyResponse Reload() { return reload_.Run(kCaller, "ReloadPolicy"); }
  static std::vector<std::string> Problems(const v1::ReloadPolicyResponse& answer) {
    return {answer.problems().begin(), answer.problems().end()};
  }
  // Nothing has changed, and the one record says so.
  void ExpectRefused(const v1::ReloadPolicyResponse& answer, const std::string& hash) {
    EXPECT_FALSE(answer.reloaded());
    EXPECT_EQ(answer.policy_hash(), hash);
    EXPECT_EQ(policies_.Get()->enforced->hash(), hash);
    EXPECT_EQ(audit_.Count(Audit::Type::kPolicyLoaded), 0U);
    const auto refused = audit_.Of(Audit::Type::kPolicyRefused);
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0].policy_hash, hash);
    EXPECT_EQ(refused[0].caller, kCaller);
  }

  const run::Caller kCaller{.uid = 7, .gid = 8, .pid = 9, .principal = "ops"};
  testing::ScratchFolder folder_;
  config::BrokerConfig config_;
  run::PoliciesInForce policies_{run::Policies{}};
  testing::FakeTrace trace_;
  Audit audit_{trace_};
  testing::FakeLog log_;
  PolicyReload reload_{{.config_path = folder_ / "tidewaiter.toml",
                        .config = &config_,
                        .policies = &policies_,
                        .audit = &audit_,
                        .log = &log_}};
};

TEST_F(PolicyReloadTest, WhatIsOnDiskDecidesFromThenOnAndIsRecorded) {
  const std::string before = policies_.Get()->enforced->hash();
  Write("policy.toml", kOther);
  const v1::ReloadPolicyResponse answer = Reload();
  EXPECT_TRUE(answer.reloaded());
  EXPECT_THAT(Problems(answer), IsEmpty());
  EXPECT_EQ(answer.previous_policy_hash(), before);
  EXPECT_NE(answer.policy_hash(), before);
  EXPECT_EQ(policies_.Get()->enforced->hash(), answer.policy_hash());
  EXPECT_EQ(policies_.Get()->enforced->Find("default")->rules().network_modes.size(), 2U);
  const auto loaded = audit_.Of(Audit::Type::kPolicyLoaded);
  ASSERT_EQ(loaded.size(), 1U);
  EXPECT_EQ(loaded[0].policy_hash, answer.policy_hash());
  EXPECT_EQ(loaded[0].caller, kCaller);
  EXPECT_EQ(loaded[0].detail, "ReloadPolicy");
}

TEST_F(PolicyReloadTest, WhoHoldsTheOldPolicyKeepsIt) {
  const auto held = policies_.Get()->enforced;
  Write("policy.toml", kOther);
  ASSERT_TRUE(Reload().reloaded());
  EXPECT_EQ(held->Find("default")->rules().network_modes.size(), 1U);
}

TEST_F(PolicyReloadTest, AFileWithProblemsChangesNothingAndEachIsTold) {
  const std::string before = policies_.Get()->enforced->hash();
  Write("policy.toml", "version = 1\nmodus = 1\n[user]\nallow_root = 7\n");
  const v1::ReloadPolicyResponse answer = Reload();
  ExpectRefused(answer, before);
  EXPECT_THAT(Problems(answer), ElementsAre(HasSubstr("policy.toml:2:1: unknown key 'modus'"),
                                            HasSubstr("policy.toml:4:14: 'user.allow_root'")));
  EXPECT_THAT(audit_.Of(Audit::Type::kPolicyRefused)[0].detail, HasSubstr("(and 1 more)"));
  EXPECT_THAT(log_.lines.All(), Contains(HasSubstr("unknown key 'modus'")));
}

TEST_F(PolicyReloadTest, AShadowPolicyWithProblemsChangesNothing) {
  const std::string before = policies_.Get()->enforced->hash();
  Write("policy.toml", kOther);
  Write("next.toml", "version = 2\n");
  const v1::ReloadPolicyResponse answer = Reload();
  ExpectRefused(answer, before);
  EXPECT_THAT(Problems(answer), ElementsAre(HasSubstr("next.toml:1:11")));
}

TEST_F(PolicyReloadTest, ProblemsOfBothFilesAreToldAtOnce) {
  Write("policy.toml", "version = 3\n");
  Write("next.toml", "version = 2\n");
  EXPECT_THAT(Problems(Reload()),
              ElementsAre(HasSubstr("policy.toml:1:11"), HasSubstr("next.toml:1:11")));
}

TEST_F(PolicyReloadTest, AFileThatIsGoneChangesNothing) {
  const std::string before = policies_.Get()->enforced->hash();
  ASSERT_EQ(::unlink(config_.policy.c_str()), 0);
  ExpectRefused(Reload(), before);
}

TEST_F(PolicyReloadTest, AFileThatOthersCanWriteChangesNothing) {
  const std::string before = policies_.Get()->enforced->hash();
  Write("policy.toml", kOther);
  ::chmod(config_.policy.c_str(), 0666);
  const v1::ReloadPolicyResponse answer = Reload();
  ExpectRefused(answer, before);
  EXPECT_THAT(Problems(answer), Contains(StartsWith("others could change the policy '")));
  EXPECT_THAT(audit_.Of(Audit::Type::kPolicyRefused)[0].detail, HasSubstr("policy.toml"));
}

TEST_F(PolicyReloadTest, AShadowPolicyThatOthersCanWriteChangesNothing) {
  const std::string before = policies_.Get()->enforced->hash();
  Write("next.toml", kOther);
  ::chmod(config_.shadow_policy.c_str(), 0666);
  const v1::ReloadPolicyResponse answer = Reload();
  ExpectRefused(answer, before);
  EXPECT_THAT(Problems(answer), Contains(StartsWith("others could change the shadow policy '")));
}

// Else a run could name a policy of which the log knows nothing.
TEST_F(PolicyReloadTest, WhatCannotBeRecordedIsNotTaken) {
  const std::string before = policies_.Get()->enforced->hash();
  Write("policy.toml", kOther);
  audit_.Set(Audit::Way::kFails);
  const v1::ReloadPolicyResponse answer = Reload();
  audit_.Repair();
  ExpectRefused(answer, before);
  EXPECT_THAT(Problems(answer), ElementsAre(HasSubstr("no space left on device")));
}

// The log may have taken the record after all: what stays in force is said after it.
TEST_F(PolicyReloadTest, ARecordInDoubtIsFollowedByWhatStays) {
  const std::string before = policies_.Get()->enforced->hash();
  Write("policy.toml", kOther);
  audit_.Set(Audit::Way::kArrivesLate);
  EXPECT_FALSE(Reload().reloaded());
  EXPECT_EQ(policies_.Get()->enforced->hash(), before);
  EXPECT_EQ(audit_.Count(Audit::Type::kPolicyLoaded), 1U);
  audit_.Repair();
  const auto refused = audit_.Of(Audit::Type::kPolicyRefused);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].policy_hash, before);
}

TEST_F(PolicyReloadTest, ItReturnsWhenNothingIsDecidedByTheOldFileAnyMore) {
  run::PoliciesInForce::Lease deciding = policies_.Get();
  const std::string before = deciding->enforced->hash();
  Write("policy.toml", kOther);
  std::atomic<bool> returned = false;
  std::jthread reload([&] {
    Reload();
    returned = true;
  });
  while (policies_.Get()->enforced->hash() == before) std::this_thread::yield();
  EXPECT_FALSE(returned);
  deciding.reset();
  reload.join();
  EXPECT_TRUE(returned);
}

TEST_F(PolicyReloadTest, AStoppingBrokerReloadsNothing) {
  const std::string before = policies_.Get()->enforced->hash();
  Write("policy.toml", kOther);
  reload_.Stop();
  const v1::ReloadPolicyResponse answer = Reload();
  EXPECT_FALSE(answer.reloaded());
  EXPECT_THAT(Problems(answer), ElementsAre(HasSubstr("stopping")));
  EXPECT_EQ(policies_.Get()->enforced->hash(), before);
  EXPECT_THAT(trace_.Of("audit:"), IsEmpty());
}

TEST_F(PolicyReloadTest, AShadowPolicyComesAndGoesWithItsFile) {
  EXPECT_EQ(policies_.Get()->shadow, nullptr);
  Write("next.toml", kOther);
  const v1::ReloadPolicyResponse with = Reload();
  EXPECT_TRUE(with.reloaded());
  ASSERT_NE(policies_.Get()->shadow, nullptr);
  EXPECT_EQ(with.shadow_policy_hash(), policies_.Get()->shadow->hash());
  EXPECT_EQ(audit_.Of(Audit::Type::kPolicyLoaded)[0].shadow_policy_hash, with.shadow_policy_hash());
  ASSERT_EQ(::unlink(config_.shadow_policy.c_str()), 0);
  EXPECT_TRUE(Reload().reloaded());
  EXPECT_EQ(policies_.Get()->shadow, nullptr);
}

TEST_F(PolicyReloadTest, DevelopmentModeIsSaidInTheLogAndTheRecord) {
  Write("policy.toml", "version = 1\nmode = \"development\"\n");
  const v1::ReloadPolicyResponse answer = Reload();
  EXPECT_TRUE(answer.development());
  EXPECT_THAT(log_.lines.All(), Contains(HasSubstr("never use it in production")));
  EXPECT_EQ(audit_.Of(Audit::Type::kPolicyLoaded)[0].detail, "ReloadPolicy, development mode");
}

}  // namespace
}  // namespace tidewaiter::daemon
