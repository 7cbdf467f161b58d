// What a run on Kubernetes is refused for, rule by rule, and what its cluster enforces instead of
// the broker.
#include "policy/kubernetes_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/backends.h"
#include "policy/limit_table.h"
#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kMiB = std::int64_t{1} << 20U;

// A cluster that states what a run in production needs.
KubernetesTarget Stated() {
  return {.pod_pids_limit = 200,
          .network_policy_enforced = true,
          .carries_files = true,
          .max_input_bytes = 8 * kMiB};
}

std::string Wide(std::string_view more = {}) {
  return Toml(
      "[network]\nmodes = [\"none\", \"isolated\", \"bridge\"]\n"
      "[capabilities]\nallow = [\"NET_BIND_SERVICE\", \"CHOWN\", \"KILL\"]\n"
      "[user]\nallow_root = true\n[runtimes]\nallow = [\"runsc\"]\n"
      "[seccomp]\nallow = [\"strict\"]\n[mounts]\nallow = [\"/srv\"]\n" +
      std::string(more));
}
const std::string kDevelopment = "mode = \"development\"\n" + Wide();

EffectiveRun Admitted(const RunSpec& spec, std::string_view toml = Wide()) {
  return Effective(toml, spec, FakeHostPaths({"/srv/x"}));
}

std::vector<std::string> Refused(const EffectiveRun& run, const KubernetesTarget& target) {
  std::vector<std::string> refused;
  for (const Violation& violation : KubernetesViolations(run, target)) {
    EXPECT_FALSE(violation.message.empty() || violation.remedy.empty()) << violation.rule;
    refused.push_back(violation.rule + " " + violation.field);
  }
  return refused;
}

// Of a run in production, on a cluster that states everything.
std::vector<std::string> Refused(void (*change)(RunSpec&)) {
  RunSpec spec = AdmittedSpec();
  change(spec);
  return Refused(Admitted(spec), Stated());
}

const EffectiveRun& Plain() {
  static const EffectiveRun run = Admitted(AdmittedSpec());
  return run;
}

// "field by value" of each note.
std::vector<std::string> Notes(const EffectiveRun& run, const KubernetesTarget& target) {
  std::vector<std::string> notes;
  for (const Enforcement& note : KubernetesEnforcement(run, target)) {
    EXPECT_FALSE(note.message.empty()) << note.field;
    notes.push_back(note.field + " | " + note.by + " | " + note.value);
  }
  return notes;
}

TEST(KubernetesSupport, TheLimitsIndicesAreTheirs) {
  EXPECT_EQ(kLimits[kPidsLimit].json_field, "pids");
  EXPECT_EQ(kLimits[kTmpfsLimit].json_field, "tmpfsBytes");
  EXPECT_EQ(kLimits[kOpenFilesLimit].json_field, "openFiles");
  EXPECT_EQ(kLimits[kInputLimit].json_field, "inputBytes");
}

TEST(KubernetesSupport, AnOrdinaryRunIsTaken) {
  EXPECT_THAT(Refused([](RunSpec& spec) {
                spec.command = {"sh", "-c", "echo $(HOME)\n"};
                spec.env = {{"A.b-C_1", "two\nlines"}};
                spec.labels = {{"example.com/team", "any value, however long"}};
                spec.user = "1000:0";
                spec.limits.memory_bytes = 64 * kMiB;
                spec.limits.timeout_millis = 1;
                spec.mounts = {{"/a", false, TmpfsMount{kMiB}},
                               {"/b", true, TmpfsMount{}},
                               {"/in", true, InputMount{"code"}},
                               {"/out", false, OutputMount{"built"}}};
                spec.add_capabilities = {"NET_BIND_SERVICE"};
                spec.tenant.job = "7";
                spec.backend = "kubernetes";
              }),
              IsEmpty());
}

TEST(KubernetesSupport, PidsAreThePolicysDefaultAlone) {
  EXPECT_THAT(Refused([](RunSpec& spec) { spec.limits.pids = 255; }),
              ElementsAre("backend.pids limits.pids"));
  EXPECT_THAT(Refused([](RunSpec& spec) { spec.limits.pids = 257; }),
              ElementsAre("backend.pids limits.pids"));
  EXPECT_THAT(Refused([](RunSpec& spec) { spec.limits.pids = 256; }), IsEmpty());
  RunSpec spec = AdmittedSpec();
  spec.limits.pids = 255;
  EXPECT_THAT(Refused(Admitted(spec, kDevelopment), Stated()),
              ElementsAre("backend.pids limits.pids"));
}

TEST(KubernetesSupport, TheDefaultOfPidsNeedsAStatedLimitOfAtMostItInProduction) {
  const EffectiveRun lenient = Admitted(AdmittedSpec(), kDevelopment);
  KubernetesTarget target = Stated();
  for (const std::int64_t good : {1, 200, 256}) {
    target.pod_pids_limit = good;
    EXPECT_THAT(Refused(Plain(), target), IsEmpty()) << good;
  }
  // 0 and -1 are how a kubelet is told of no limit at all.
  for (const std::optional<std::int64_t> bad :
       {std::optional<std::int64_t>(), std::optional<std::int64_t>(257),
        std::optional<std::int64_t>(0), std::optional<std::int64_t>(-1)}) {
    target.pod_pids_limit = bad;
    ASSERT_THAT(Refused(Plain(), target), ElementsAre("backend.pids limits.pids"));
    EXPECT_THAT(KubernetesViolations(Plain(), target)[0].remedy, HasSubstr("pod_pids_limit"));
    EXPECT_THAT(Refused(lenient, target), IsEmpty());
  }
}

TEST(KubernetesSupport, ThePolicysOwnDefaultCounts) {
  const std::string toml =
      Wide("[limits.pids]\ndefault = 100\n[limits.open_files]\ndefault = 2048\n");
  KubernetesTarget target = Stated();
  target.pod_pids_limit = 100;
  EXPECT_THAT(Refused(Admitted(AdmittedSpec(), toml), target), IsEmpty());
  target.pod_pids_limit = 101;
  EXPECT_THAT(Refused(Admitted(AdmittedSpec(), toml), target),
              ElementsAre("backend.pids limits.pids"));
}

TEST(KubernetesSupport, OpenFilesAreThePolicysDefaultAlone) {
  EXPECT_THAT(Refused([](RunSpec& spec) { spec.limits.open_files = 1023; }),
              ElementsAre("backend.open-files limits.openFiles"));
  EXPECT_THAT(Refused([](RunSpec& spec) { spec.limits.open_files = 1024; }), IsEmpty());
}

TEST(KubernetesSupport, MoreInputThanIsCarriedIsRefusedOnlyWhereItIsAskedFor) {
  RunSpec spec = AdmittedSpec();
  spec.mounts = {{"/in", true, InputMount{"code"}}};
  EXPECT_THAT(Refused(Admitted(spec), Stated()), IsEmpty()) << "the policy's default";
  spec.limits.input_bytes = 8 * kMiB;
  EXPECT_THAT(Refused(Admitted(spec), Stated()), IsEmpty());
  spec.limits.input_bytes = 8 * kMiB + 1;
  ASSERT_THAT(Refused(Admitted(spec), Stated()),
              ElementsAre("backend.input-bytes limits.inputBytes"));
  EXPECT_THAT(KubernetesViolations(Admitted(spec), Stated())[0].remedy, HasSubstr("at most 8MiB"));
  spec.mounts.clear();
  EXPECT_THAT(Refused(Admitted(spec), Stated()), IsEmpty()) << "without inputs";
}

TEST(KubernetesSupport, NetworkIsNoneAndInProductionOnlyWhereThatIsEnforced) {
  EXPECT_THAT(Refused([](RunSpec& spec) { spec.network = NetworkMode::kIsolated; }),
              ElementsAre("backend.network-mode network.mode"));
  EXPECT_THAT(Refused([](RunSpec& spec) { spec.network = NetworkMode::kBridge; }),
              ElementsAre("backend.network-mode network.mode"));
  KubernetesTarget target = Stated();
  target.network_policy_enforced = false;
  ASSERT_THAT(Refused(Plain(), target), ElementsAre("backend.network-mode network.mode"));
  EXPECT_THAT(KubernetesViolations(Plain(), target)[0].remedy,
              HasSubstr("network_policy_enforced = true"));
  EXPECT_THAT(Refused(Admitted(AdmittedSpec(), kDevelopment), target), IsEmpty());
}

TEST(KubernetesSupport, MountsOfTheHostAndOfNoKindAreRefusedEach) {
  RunSpec spec = AdmittedSpec();
  spec.mounts = {{"/bind", true, BindMount{"/srv/x"}},
                 {"/tmpfs", false, TmpfsMount{}},
                 {"/volume", false, VolumeMount{"v"}},
                 {"/in", true, InputMount{"i"}},
                 {"/out", false, OutputMount{"o"}}};
  EffectiveRun run = Admitted(spec);
  run.mounts.push_back({"/none", false, {}});  // the policy refuses it too
  EXPECT_THAT(Refused(run, Stated()), ElementsAre("backend.mount-kind mounts[0].bind",
                                                  "backend.mount-kind mounts[2].volume",
                                                  "backend.mount-kind mounts[6].target"));
  KubernetesTarget target = Stated();
  target.carries_files = false;
  EXPECT_THAT(
      Refused(run, target),
      ElementsAre("backend.mount-kind mounts[0].bind", "backend.mount-kind mounts[2].volume",
                  "backend.mount-kind mounts[3].input", "backend.mount-kind mounts[4].output",
                  "backend.mount-kind mounts[6].target"));
}

TEST(KubernetesSupport, ATargetWithAColonIsRefused) {
  EXPECT_THAT(Refused([](RunSpec& spec) {
                spec.mounts = {{"/a", false, TmpfsMount{}}, {"/b:c", false, TmpfsMount{}}};
              }),
              ElementsAre("backend.mount-target mounts[1].target"));
}

TEST(KubernetesSupport, CapabilitiesBeyondTheRestrictedStandardAreRefusedOneByOne) {
  EXPECT_THAT(
      Refused([](RunSpec& spec) {
        spec.add_capabilities = {"NET_BIND_SERVICE", "KILL", "CHOWN"};
      }),
      ElementsAre("backend.capability addCapabilities", "backend.capability addCapabilities"));
}

TEST(KubernetesSupport, RootIsRefusedAndItsGroupIsThePolicysMatter) {
  EXPECT_THAT(Refused([](RunSpec& spec) { spec.user = "0:0"; }),
              ElementsAre("backend.user-root user"));
  EXPECT_THAT(Refused([](RunSpec& spec) { spec.user = "7:0"; }), IsEmpty());
}

TEST(KubernetesSupport, RuntimeAndSeccompProfileAreTheClusters) {
  EXPECT_THAT(Refused([](RunSpec& spec) {
                spec.runtime = "runsc";
                spec.seccomp_profile = "strict";
              }),
              ElementsAre("backend.runtime runtime", "backend.seccomp-profile seccompProfile"));
}

TEST(KubernetesSupport, LabelsHaveNamesThatKubernetesTakesAndAnyValue) {
  EXPECT_THAT(Refused([](RunSpec& spec) {
                spec.labels = {{"a b", ""},
                               {"app.kubernetes.io/name", ""},
                               {"good", std::string(300, ' ')},
                               {"job-name", ""}};
              }),
              ElementsAre("backend.label-name labels['a b']",
                          "backend.label-name labels['app.kubernetes.io/name']",
                          "backend.label-name labels['job-name']"));
}

TEST(KubernetesSupport, VariablesHaveNamesThatKubernetesTakes) {
  EXPECT_THAT(Refused([](RunSpec& spec) {
                spec.env = {{"1", ""}, {"A", "\x01"}, {"a b", ""}};
              }),
              ElementsAre("backend.env-name env['1']", "backend.env-name env['a b']"));
}

TEST(KubernetesSupport, AnImageWithoutDigestIsRefusedInDevelopmentToo) {
  const std::string loose = kDevelopment + "[images]\ntag = \"any\"\ndigest = \"optional\"\n";
  RunSpec spec;
  spec.image = "ghcr.io/team/job:dev";
  for (const char* const verify : {"verify_tag = false\n", "verify_tag = true\n"}) {
    EXPECT_THAT(Refused(Admitted(spec, loose + verify), Stated()),
                ElementsAre("backend.image-digest image"));
  }
  spec.image += "@" + kDigest;
  EXPECT_THAT(Refused(Admitted(spec, loose), Stated()), IsEmpty());
}

TEST(KubernetesSupport, AClusterThatStatesAllRefusesOnlyWhatNoneCanDo) {
  RunSpec spec = AdmittedSpec();
  spec.mounts = {{"/in", true, InputMount{"i"}}, {"/out", false, OutputMount{"o"}}};
  spec.limits.input_bytes = std::int64_t{4} << 30U;
  const EffectiveRun run = Admitted(spec);
  EXPECT_THAT(Refused(run, KubernetesTarget::StatingAll(run)), IsEmpty());
  EXPECT_THAT(Refused(run, {}),
              ElementsAre("backend.pids limits.pids", "backend.input-bytes limits.inputBytes",
                          "backend.network-mode network.mode", "backend.mount-kind mounts[0].input",
                          "backend.mount-kind mounts[1].output"));
}

TEST(KubernetesEnforcement, NamesWhatTheClusterEnforces) {
  EXPECT_THAT(
      Notes(Plain(), Stated()),
      ElementsAre("limits.pids | the kubelets' podPidsLimit | 200",
                  "limits.openFiles | the node's container runtime | ",
                  "network.mode | the cluster's network plugin | none", "mounts[0].tmpfs |  | "));
}

TEST(KubernetesEnforcement, NamesWhatNothingEnforcesInDevelopment) {
  EXPECT_THAT(Notes(Admitted(AdmittedSpec(), kDevelopment), {}),
              ElementsAre("limits.pids |  | ", "limits.openFiles | the node's container runtime | ",
                          "network.mode |  | ", "mounts[0].tmpfs |  | "));
}

TEST(KubernetesEnforcement, NamesTheBudgetThatIsBelowTheInputsLimit) {
  RunSpec spec = AdmittedSpec();
  spec.mounts = {{"/in", true, InputMount{"code"}}};
  EXPECT_THAT(Notes(Admitted(spec), Stated()),
              ::testing::Contains("limits.inputBytes | max_input_bytes of [kubernetes] | 8MiB"));
  spec.limits.input_bytes = 8 * kMiB;
  EXPECT_THAT(Notes(Admitted(spec), Stated()),
              ::testing::Not(::testing::Contains(HasSubstr("limits.inputBytes"))));
}

}  // namespace
}  // namespace tidewaiter::policy
