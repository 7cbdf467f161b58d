// What holds for every policy and every run, asked of random ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/unit/policy/policy_fixture.h"
#include "tests/unit/policy/random_policy.h"
#include "tests/unit/policy/random_run.h"
#include "tests/unit/policy/tightenings.h"

namespace tidewaiter::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const FakeHostPaths kHost({"/srv/a", "/srv/a/b", "/srv/c"});

// The names of the fields that a run's author has said something about.
std::set<std::string> Said(const RunSpec& spec) {
  std::set<std::string> said;
  const auto add = [&](const std::string& name, bool is_said) {
    if (is_said) said.insert(name);
  };
  const bool has_digest = spec.image.find('@') != std::string::npos;
  add("image without tag and digest",
      !has_digest && spec.image.find(':') == std::string::npos && !spec.image.empty());
  add("image without digest", !has_digest);
  add("image with sha512", spec.image.find("@sha512:") != std::string::npos);
  add("image with tag that is no version", spec.image.find(":latest") != std::string::npos);
  add("image in upper case", spec.image.starts_with("GHCR"));
  add("command", !spec.command.empty());
  add("env", !spec.env.empty());
  add("working_dir", !spec.working_dir.empty());
  add("user", !spec.user.empty());
  add("labels", !spec.labels.empty());
  for (const LimitInfo& info : kLimits) {
    add("limits." + std::string(info.json_field), (spec.limits.*info.requested).has_value());
  }
  add("network", spec.network.has_value());
  for (const Mount& mount : spec.mounts) {
    constexpr std::array<const char*, 6> kKinds{"none",  "bind",   "tmpfs",
                                                "input", "output", "volume"};
    add("mount " + std::string(kKinds.at(mount.source.index())), true);
    const auto* tmpfs = std::get_if<TmpfsMount>(&mount.source);
    add("mount tmpfs with size", tmpfs != nullptr && tmpfs->size_bytes);
    add("mount /tmp", mount.target == "/tmp");
    add("mount bind writable", std::holds_alternative<BindMount>(mount.source) && !mount.read_only);
  }
  add("add_capabilities", !spec.add_capabilities.empty());
  add("read_only_rootfs false", !spec.read_only_rootfs.value_or(true));
  add("runtime", !spec.runtime.empty());
  add("seccomp_profile", !spec.seccomp_profile.empty());
  add("tenant", spec.tenant != Tenant{});
  add("backend", !spec.backend.empty());
  add("idempotency_key", !spec.idempotency_key.empty());
  return said;
}

TEST(EvaluateProperty, EffectiveRunIsAdmittedUnchanged) {
  RandomSource random(1);
  std::set<std::string> admitted;
  std::set<std::string> seen;
  for (int round = 0; round < 1600; ++round) {
    const std::string toml = RandomPolicy(random).File();
    const auto set = PolicySet::Parse(toml, "p");
    ASSERT_TRUE(set.has_value()) << set.error().message << toml;
    const Policy& policy = *(*set)->Find("default");
    for (int i = 0; i < 20; ++i) {
      const RunSpec spec = RandomSpec(random);
      seen.merge(Said(spec));
      const Decision once = Evaluate(policy, spec, kHost);
      if (once.admitted() == nullptr) continue;
      admitted.merge(Said(spec));
      const Decision twice = Evaluate(policy, once.admitted()->effective().ToSpec(), kHost);
      ASSERT_THAT(Broken(twice), IsEmpty()) << toml << spec.image;
      ASSERT_EQ(twice.admitted()->effective(), once.admitted()->effective()) << toml << spec.image;
    }
  }
  // Every field took part, and was in a run that a policy admits.
  seen.erase("mount none");
  EXPECT_EQ(seen.size(), 35U);
  EXPECT_EQ(admitted, seen);
}

// Whatever loads as a child admits nothing that its parent denies.
TEST(EvaluateProperty, ChildNeverAdmitsWhatItsParentDenies) {
  RandomSource random(2);
  std::size_t loaded = 0;
  std::size_t told_apart = 0;
  for (int round = 0; round < 1500; ++round) {
    PolicyDraft parent = RandomPolicy(random);
    // Half of the children differ in one field, or hardly any would load.
    PolicyDraft child = RandomPolicy(random);
    if (random.Chance(50)) {
      child = parent;
      random.Pick(AllTightenings()).apply(random, child);
    }
    const auto set = PolicySet::Parse(
        parent.File() + "[policy.child]\ninherits = \"default\"\n" + child.Tables("policy.child."),
        "p");
    if (!set) continue;
    ++loaded;
    for (int i = 0; i < 10; ++i) {
      const RunSpec spec = RandomSpec(random);
      const Decision tight = Evaluate(*(*set)->Find("child"), spec, kHost);
      const Decision loose = Evaluate(*(*set)->Find("default"), spec, kHost);
      if (tight.admitted() != nullptr) {
        ASSERT_THAT(Broken(loose), IsEmpty()) << spec.image;
      } else if (loose.admitted() != nullptr) {
        ++told_apart;
      }
    }
  }
  EXPECT_GT(loaded, 500U);
  EXPECT_GT(told_apart, 20U);
}

// Nothing of `tight` is wider than in `loose`; what the policy does not fill in is the same.
void ExpectNeverLooser(const EffectiveRun& tight, EffectiveRun loose) {
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    EXPECT_LE(GetLimit(tight.limits, i), GetLimit(loose.limits, i)) << kLimits[i].key;
  }
  EXPECT_TRUE(tight.verify_tag || !loose.verify_tag);
  loose.limits = tight.limits;
  loose.verify_tag = tight.verify_tag;
  EXPECT_LE(tight.default_pids, loose.default_pids);
  EXPECT_LE(tight.default_open_files, loose.default_open_files);
  EXPECT_LE(tight.default_input_bytes, loose.default_input_bytes);
  EXPECT_TRUE(!tight.development || loose.development);
  loose.default_pids = tight.default_pids;
  loose.default_open_files = tight.default_open_files;
  loose.default_input_bytes = tight.default_input_bytes;
  loose.development = tight.development;
  ASSERT_EQ(tight.mounts.size(), loose.mounts.size());
  for (std::size_t i = 0; i < loose.mounts.size(); ++i) {
    auto* size = std::get_if<TmpfsMount>(&loose.mounts[i].source);
    const auto* tight_size = std::get_if<TmpfsMount>(&tight.mounts[i].source);
    if (size == nullptr || tight_size == nullptr) continue;
    EXPECT_LE(tight_size->size_bytes, size->size_bytes);
    *size = *tight_size;
  }
  EXPECT_EQ(tight, loose);
}

struct Tally {
  std::size_t policies = 0;
  std::size_t told_apart = 0;
};

// Asks a policy and the one that `each` made of it about random runs.
void Compare(const Tightening& each, const PolicyDraft& loose_draft, const PolicyDraft& tight_draft,
             RandomSource& random, Tally& tally) {
  using Shows = Tightening::Shows;
  const auto loose_set = PolicySet::Parse(loose_draft.File(), "loose");
  ASSERT_TRUE(loose_set.has_value()) << loose_set.error().message << loose_draft.File();
  const auto tight_set = PolicySet::Parse(tight_draft.File(), "tight");
  ++tally.policies;
  if (!tight_set) {
    ASSERT_EQ(each.shows, Shows::kLoad) << tight_set.error().message << tight_draft.File();
    ++tally.told_apart;
    return;
  }
  for (int i = 0; i < 30; ++i) {
    RunSpec spec = RandomSpec(random);
    if (i % 2 == 0) {
      spec = {};
      spec.image = RandomImage(random);
      if (each.asks != nullptr) each.asks(random, spec);
    }
    const Decision tight = Evaluate(*(*tight_set)->Find("default"), spec, kHost);
    const Decision loose = Evaluate(*(*loose_set)->Find("default"), spec, kHost);
    if (tight.admitted() != nullptr) {
      ASSERT_THAT(Broken(loose), IsEmpty()) << spec.image << tight_draft.File();
      ExpectNeverLooser(tight.admitted()->effective(), loose.admitted()->effective());
      const bool differ = tight.admitted()->effective() != loose.admitted()->effective();
      if (each.shows == Shows::kEffective && differ) ++tally.told_apart;
    } else if (loose.admitted() != nullptr) {
      ASSERT_EQ(each.shows, Shows::kDenied) << spec.image << tight_draft.File();
      ++tally.told_apart;
    }
  }
}

TEST(EvaluateProperty, TighteningAnyFieldNeverAdmitsADeniedRun) {
  RandomSource random(3);
  for (const Tightening& each : AllTightenings()) {
    SCOPED_TRACE(each.name);
    Tally tally;
    for (int round = 0; round < 5000 && (tally.policies < 30 || tally.told_apart == 0); ++round) {
      const PolicyDraft loose = RandomPolicy(random);
      PolicyDraft tight = loose;
      if (!each.apply(random, tight)) continue;
      Compare(each, loose, tight, random, tally);
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GE(tally.policies, 30U);
    EXPECT_GE(tally.told_apart, 1U);
  }
}

}  // namespace
}  // namespace tidewaiter::policy
