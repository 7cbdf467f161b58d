#include "broker/kubernetes/job_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/cluster_recordings.h"
#include "tests/unit/kubernetes/run_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;

Json PodOf(const Json& body) {
  return At(body, {"spec", "template", "spec"});
}

Json ContainerOf(const Json& body) {
  return PodOf(body).at("containers").at(0);
}

TEST(JobManifestTest, RunBecomesThisJob) {
  EXPECT_EQ(BodyOf(FullSpec()), Json::parse(kAskedJob));
}

TEST(JobManifestTest, JobIsHeldBackUntilItIsStarted) {
  Json body = BodyOf(FullSpec());
  EXPECT_EQ(At(body, {"spec", "parallelism"}), 0);
  body.merge_patch(StartPatch());
  EXPECT_EQ(At(body, {"spec", "parallelism"}), 1);
  EXPECT_EQ(At(body, {"spec", "completions"}), 1);
  EXPECT_EQ(At(body, {"spec", "backoffLimit"}), 0);
  EXPECT_EQ(At(PodOf(body), {"restartPolicy"}), "Never");
}

TEST(JobManifestTest, CommandOfTheImageIsLeftToIt) {
  policy::RunSpec spec;
  spec.image = FullSpec().image;
  const Json container = ContainerOf(BodyOf(spec));
  for (const char* absent : {"command", "args", "workingDir"}) {
    EXPECT_FALSE(container.contains(absent)) << absent;
  }
}

// As the kubelet reads them (third_party/forked/golang/expansion): $(NAME), and $$ as $.
std::string Expanded(std::string_view text) {
  std::string read;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$' && i + 1 < text.size()) {
      ++i;
      if (text[i] == '(') return "EXPANDED";
      if (text[i] != '$') read += '$';
    }
    read += text[i];
  }
  return read;
}

TEST(JobManifestTest, NothingIsExpandedByTheCluster) {
  EXPECT_EQ(WithoutExpansion("$(HOME)"), "$$(HOME)");
  EXPECT_EQ(WithoutExpansion("$$"), "$$$$");
  EXPECT_EQ(WithoutExpansion("a"), "a");
  EXPECT_EQ(WithoutExpansion(""), "");
  for (const char* text : {"$(HOME)", "$$", "$", "$$(HOME)", "$$$(A)$", "a$b", "cost: 5$", "$()"}) {
    EXPECT_EQ(Expanded(WithoutExpansion(text)), text);
  }
}

TEST(JobManifestTest, RequestsAreTheLimitsSoThatThePodIsGuaranteed) {
  for (const bool read_only : {true, false}) {
    policy::RunSpec spec = FullSpec();
    spec.read_only_rootfs = read_only;
    const Json resources = ContainerOf(BodyOf(spec)).at("resources");
    EXPECT_EQ(resources.at("requests"), resources.at("limits"));
    // 128 MiB for the node, twice the log, and a writable root's tmpfs_bytes.
    EXPECT_EQ(resources.at("limits").at("ephemeral-storage"),
              read_only ? "136314880" : "137363456");
  }
}

TEST(JobManifestTest, CpuIsExactToAThousandth) {
  policy::RunSpec spec = FullSpec();
  spec.limits.cpu_millis = 1501;
  EXPECT_EQ(ContainerOf(BodyOf(spec)).at("resources").at("limits").at("cpu"), "1501m");
}

TEST(JobManifestTest, TimesOfAPartOfASecondAreRoundedUp) {
  policy::RunSpec spec = FullSpec();
  spec.limits.timeout_millis = 60001;
  KubernetesSettings settings = TestSettings();
  settings.stop_grace = milliseconds(1500);
  settings.finished_ttl = milliseconds(1);
  settings.prepare_timeout = milliseconds(1000);
  const Json body = BodyOf(spec, settings);
  // 1 s to begin, 60.001 s to run, twice 1.5 s to end, 60 s of slack.
  EXPECT_EQ(At(body, {"spec", "activeDeadlineSeconds"}), 125);
  EXPECT_EQ(At(body, {"spec", "ttlSecondsAfterFinished"}), 1);
  EXPECT_EQ(At(PodOf(body), {"terminationGracePeriodSeconds"}), 2);
}

TEST(JobManifestTest, TmpfsIsMemoryOfItsSize) {
  policy::RunSpec spec = FullSpec();
  spec.mounts = {{.target = "/a", .read_only = false, .source = policy::TmpfsMount{}},
                 {.target = "/b", .read_only = true, .source = policy::TmpfsMount{8192}}};
  const Json body = BodyOf(spec);
  std::map<std::string, Json> volumes;
  const Json pod = PodOf(body);
  for (const Json& volume : pod.at("volumes")) volumes[volume.at("name")] = volume;
  std::map<std::string, std::string> sizes;
  for (const Json& mount : pod.at("containers").at(0).at("volumeMounts")) {
    const Json& memory = volumes.at(mount.at("name")).at("emptyDir");
    EXPECT_EQ(memory.at("medium"), "Memory");
    sizes[mount.at("mountPath")] = memory.at("sizeLimit");
    EXPECT_EQ(mount.value("readOnly", false), mount.at("mountPath") == "/b");
  }
  EXPECT_EQ(sizes.at("/a"), "1048576");
  EXPECT_EQ(sizes.at("/b"), "8192");
  EXPECT_EQ(volumes.size(), sizes.size());
}

TEST(JobManifestTest, OwnersSettingsAreWritten) {
  KubernetesSettings settings = TestSettings();
  settings.node_selector = {{"pool", "jobs"}};
  settings.tolerations = {
      {.key = "jobs", .operation = "Equal", .value = "only", .effect = "NoExecute", .seconds = 0},
      {.key = {}, .operation = "Exists", .value = {}, .effect = {}, .seconds = {}}};
  settings.runtime_class = "gvisor";
  settings.image_pull_secrets = {"pull"};
  const Json pod = PodOf(BodyOf(FullSpec(), settings));
  EXPECT_EQ(At(pod, {"nodeSelector"}), Json::parse(R"({"pool":"jobs"})"));
  EXPECT_EQ(At(pod, {"tolerations"}), Json::parse(R"([
      {"key":"jobs","operator":"Equal","value":"only","effect":"NoExecute","tolerationSeconds":0},
      {"operator":"Exists"}])"));
  EXPECT_EQ(At(pod, {"runtimeClassName"}), "gvisor");
  EXPECT_EQ(At(pod, {"imagePullSecrets"}), Json::parse(R"([{"name":"pull"}])"));
}

// "Pod Security Standards", profiles baseline and restricted, control by control.
class PodSecurityTest : public ::testing::Test {
 protected:
  const Json pod_ = PodOf(BodyOf(FullSpec()));
  const Json container_ = pod_.at("containers").at(0);
  const Json security_ = container_.at("securityContext");
};

TEST_F(PodSecurityTest, ThereIsOneContainer) {
  EXPECT_EQ(pod_.at("containers").size(), 1U);
  EXPECT_FALSE(pod_.contains("initContainers"));
  EXPECT_FALSE(pod_.contains("ephemeralContainers"));
}

TEST_F(PodSecurityTest, HostNamespaces) {
  for (const char* name : {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"}) {
    EXPECT_FALSE(pod_.contains(name)) << name;
  }
}

TEST_F(PodSecurityTest, PrivilegedContainers) {
  EXPECT_EQ(security_.at("privileged"), false);
}

TEST_F(PodSecurityTest, Capabilities) {
  EXPECT_EQ(security_.at("capabilities").at("drop"), Json::array({"ALL"}));
  EXPECT_EQ(security_.at("capabilities").at("add"), Json::array({"NET_BIND_SERVICE"}));
  policy::RunSpec spec = FullSpec();
  spec.add_capabilities = {};
  EXPECT_FALSE(ContainerOf(BodyOf(spec)).at("securityContext").at("capabilities").contains("add"));
}

TEST_F(PodSecurityTest, VolumeTypes) {
  for (const Json& volume : pod_.at("volumes")) {
    EXPECT_EQ(volume.size(), 2U);
    EXPECT_TRUE(volume.contains("emptyDir"));
  }
}

TEST_F(PodSecurityTest, HostPorts) {
  EXPECT_FALSE(container_.contains("ports"));
}

TEST_F(PodSecurityTest, HostProbesAndLifecycleHooks) {
  for (const char* name : {"livenessProbe", "readinessProbe", "startupProbe", "lifecycle"}) {
    EXPECT_FALSE(container_.contains(name)) << name;
  }
}

TEST_F(PodSecurityTest, SysctlsSelinuxAndProcMount) {
  for (const char* name : {"sysctls", "seLinuxOptions", "windowsOptions", "supplementalGroups"}) {
    EXPECT_FALSE(pod_.at("securityContext").contains(name)) << name;
  }
  for (const char* name : {"procMount", "seLinuxOptions", "windowsOptions"}) {
    EXPECT_FALSE(security_.contains(name)) << name;
  }
}

TEST_F(PodSecurityTest, PrivilegeEscalation) {
  EXPECT_EQ(security_.at("allowPrivilegeEscalation"), false);
}

TEST_F(PodSecurityTest, RunningAsNonRoot) {
  for (const Json& security : {security_, pod_.at("securityContext")}) {
    EXPECT_EQ(security.at("runAsNonRoot"), true);
    EXPECT_EQ(security.at("runAsUser"), 1000);
    EXPECT_EQ(security.at("runAsGroup"), 1001);
  }
}

TEST_F(PodSecurityTest, Seccomp) {
  for (const Json& security : {security_, pod_.at("securityContext")}) {
    EXPECT_EQ(security.at("seccompProfile"), Json::parse(R"({"type":"RuntimeDefault"})"));
  }
}

TEST_F(PodSecurityTest, RootFilesystemIsReadOnly) {
  EXPECT_EQ(security_.at("readOnlyRootFilesystem"), true);
}

TEST_F(PodSecurityTest, NothingOfTheClusterIsGivenToIt) {
  EXPECT_EQ(pod_.at("automountServiceAccountToken"), false);
  EXPECT_EQ(pod_.at("enableServiceLinks"), false);
  EXPECT_FALSE(pod_.contains("serviceAccountName"));
  EXPECT_EQ(pod_.at("dnsPolicy"), "None");
}

TEST_F(PodSecurityTest, ImageIsNamedByItsDigest) {
  EXPECT_EQ(container_.at("image"), kImage);
}

}  // namespace
}  // namespace tidewaiter::kubernetes
