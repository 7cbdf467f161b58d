// The ready-made policies of policy/examples: each loads in its mode, admits what it promises, and
// denies by its name what breaks one of its controls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/project_file.h"
#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Source(const std::string& path) {
  std::ifstream file(testing::ProjectFile(path));
  EXPECT_TRUE(file.is_open()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::shared_ptr<const PolicySet> Example(const std::string& name) {
  return LoadSet(Source("policy/examples/" + name));
}

using Change = void (*)(RunSpec&);
struct Admits {
  const char* what;
  Change change;
};
struct Denies {
  const char* what;
  Change change;
  std::string broken;  // "rule field"
};

// Asks `policy` about `image` with each change made to it.
void Expect(const Policy& policy, const std::string& image, const std::vector<Admits>& admits,
            const std::vector<Denies>& denies) {
  const FakeHostPaths host({"/srv/data"});
  for (const Admits& each : admits) {
    RunSpec spec;
    spec.image = image;
    each.change(spec);
    EXPECT_THAT(Broken(Evaluate(policy, spec, host)), IsEmpty()) << each.what;
  }
  for (const Denies& each : denies) {
    RunSpec spec;
    spec.image = image;
    each.change(spec);
    EXPECT_THAT(Broken(Evaluate(policy, spec, host)), ElementsAre(each.broken)) << each.what;
  }
}

void Nothing(RunSpec& /*spec*/) {}

constexpr std::int64_t kGiB = std::int64_t{1} << 30U;

// What every one of the production examples denies.
std::vector<Denies> Closed() {
  return {
      {"root", [](RunSpec& s) { s.user = "0"; }, "user.root user"},
      {"root's group", [](RunSpec& s) { s.user = "1000:0"; }, "user.root user"},
      {"a user's name", [](RunSpec& s) { s.user = "root"; }, "user.invalid user"},
      {"a host folder",
       [](RunSpec& s) {
         s.mounts = {{"/d", true, BindMount{"/srv/data"}}};
       },
       "mount.source-not-allowed mounts[0].bind.source"},
      {"/proc as a target",
       [](RunSpec& s) {
         s.mounts = {{"/proc/x", false, TmpfsMount{}}};
       },
       "mount.target-forbidden mounts[0].target"},
      {"SYS_ADMIN", [](RunSpec& s) { s.add_capabilities = {"SYS_ADMIN"}; },
       "capability.not-allowed addCapabilities[0]"},
      {"ALL", [](RunSpec& s) { s.add_capabilities = {"ALL"}; },
       "capability.unknown addCapabilities[0]"},
      {"a writable root file system", [](RunSpec& s) { s.read_only_rootfs = false; },
       "rootfs.writable readOnlyRootfs"},
      {"another runtime", [](RunSpec& s) { s.runtime = "kata"; }, "runtime.not-allowed runtime"},
      {"no seccomp profile", [](RunSpec& s) { s.seccomp_profile = "unconfined"; },
       "seccomp.not-allowed seccompProfile"},
      {"no limit", [](RunSpec& s) { s.limits.memory_bytes = 0; },
       "limit.not-positive limits.memoryBytes"},
      {"no tag", [](RunSpec& s) { s.image.erase(s.image.find(':'), 6); },
       "image.tag-required image"},
      {"latest", [](RunSpec& s) { s.image.replace(s.image.find(':') + 1, 5, "latest"); },
       "image.tag-not-semver image"},
      {"no digest", [](RunSpec& s) { s.image.erase(s.image.find('@')); },
       "image.digest-required image"},
      {"another registry", [](RunSpec& s) { s.image.replace(0, 7, "quay.io"); },
       "image.repository-not-allowed image"},
      {"another namespace",
       [](RunSpec& s) { s.image.replace(s.image.find("network"), 7, "network-evil"); },
       "image.repository-not-allowed image"},
      {"another major version", [](RunSpec& s) { s.image.replace(s.image.find(':') + 1, 1, "2"); },
       "image.version-not-allowed image"},
      {"a pre-release", [](RunSpec& s) { s.image.insert(s.image.find('@'), "-rc.1"); },
       "image.version-not-allowed image"},
  };
}

const std::string kJob = "ghcr.io/platformnetwork/job:1.4.2@" + kDigest;

TEST(ExamplePolicies, Production) {
  const auto set = Example("production.toml");
  ASSERT_NE(set, nullptr);
  EXPECT_FALSE(set->development());
  std::vector<Denies> denies = Closed();
  denies.push_back({"8 GiB and a byte", [](RunSpec& s) { s.limits.memory_bytes = 8 * kGiB + 1; },
                    "limit.too-large limits.memoryBytes"});
  denies.push_back({"the bridge", [](RunSpec& s) { s.network = NetworkMode::kBridge; },
                    "network.mode-not-allowed network.mode"});
  denies.push_back({"NET_BIND_SERVICE",
                    [](RunSpec& s) { s.add_capabilities = {"NET_BIND_SERVICE"}; },
                    "capability.not-allowed addCapabilities[0]"});
  Expect(*set->Find("default"), kJob,
         {{"a plain run", Nothing},
          {"8 GiB", [](RunSpec& s) { s.limits.memory_bytes = 8 * kGiB; }},
          {"a network of its own", [](RunSpec& s) { s.network = NetworkMode::kIsolated; }},
          {"a grader of any release",
           [](RunSpec& s) { s.image = "ghcr.io/platformnetwork/graders/a/b:7.0.0@" + kDigest; }},
          {"a user of its own", [](RunSpec& s) { s.user = "1000:1000"; }},
          {"an input",
           [](RunSpec& s) {
             s.mounts = {{"/in", true, InputMount{"code"}}};
           }}},
         denies);
}

TEST(ExamplePolicies, ProductionForUnknownCode) {
  const auto set = Example("production.toml");
  ASSERT_NE(set, nullptr);
  EXPECT_EQ(set->FindPrincipal("validator")->policy, "untrusted");
  std::vector<Denies> denies = Closed();
  denies.push_back({"5 GiB", [](RunSpec& s) { s.limits.memory_bytes = 5 * kGiB; },
                    "limit.too-large limits.memoryBytes"});
  denies.push_back({"three hours", [](RunSpec& s) { s.limits.timeout_millis = 3 * 3600 * 1000; },
                    "limit.too-large limits.timeout"});
  denies.push_back({"any network", [](RunSpec& s) { s.network = NetworkMode::kIsolated; },
                    "network.mode-not-allowed network.mode"});
  Expect(
      *set->Find("untrusted"), kJob,
      {{"a plain run", Nothing}, {"4 GiB", [](RunSpec& s) { s.limits.memory_bytes = 4 * kGiB; }}},
      denies);
}

TEST(ExamplePolicies, Development) {
  const auto set = Example("development.toml");
  ASSERT_NE(set, nullptr);
  EXPECT_TRUE(set->development());
  Expect(
      *set->Find("default"), "127.0.0.1:5000/lab/toolbox:latest",
      {{"any tag", Nothing},
       {"no tag", [](RunSpec& s) { s.image = "localhost:5000/x"; }},
       {"a digest", [](RunSpec& s) { s.image += "@" + kDigest; }},
       {"the bridge", [](RunSpec& s) { s.network = NetworkMode::kBridge; }}},
      {{"another registry", [](RunSpec& s) { s.image = "docker.io/library/busybox"; },
        "image.repository-not-allowed image"},
       {"another port", [](RunSpec& s) { s.image = "127.0.0.1:5001/x"; },
        "image.repository-not-allowed image"},
       {"root", [](RunSpec& s) { s.user = "0"; }, "user.root user"},
       {"a host folder",
        [](RunSpec& s) {
          s.mounts = {{"/d", true, BindMount{"/srv/data"}}};
        },
        "mount.source-not-allowed mounts[0].bind.source"},
       {"a capability", [](RunSpec& s) { s.add_capabilities = {"CHOWN"}; },
        "capability.not-allowed addCapabilities[0]"},
       {"a writable root file system", [](RunSpec& s) { s.read_only_rootfs = false; },
        "rootfs.writable readOnlyRootfs"},
       {"another runtime", [](RunSpec& s) { s.runtime = "runc"; }, "runtime.not-allowed runtime"}});
}

TEST(ExamplePolicies, Gpu) {
  const auto set = Example("gpu.toml");
  ASSERT_NE(set, nullptr);
  EXPECT_FALSE(set->development());
  std::vector<Denies> denies = Closed();
  denies.push_back({"more memory", [](RunSpec& s) { s.limits.memory_bytes = 65 * kGiB; },
                    "limit.too-large limits.memoryBytes"});
  denies.push_back({"an image that is none of the GPU's",
                    [](RunSpec& s) { s.image.erase(s.image.find("gpu/"), 4); },
                    "image.repository-not-allowed image"});
  denies.push_back({"a network", [](RunSpec& s) { s.network = NetworkMode::kBridge; },
                    "network.mode-not-allowed network.mode"});
  Expect(*set->Find("default"), "ghcr.io/platformnetwork/gpu/train:1.4.2@" + kDigest,
         {{"no GPU", Nothing},
          {"two GPUs",
           [](RunSpec& s) {
             s.runtime = "nvidia";
             s.env = {{"NVIDIA_VISIBLE_DEVICES", "0,1"}, {"NVIDIA_DRIVER_CAPABILITIES", "compute"}};
           }},
          {"much of everything",
           [](RunSpec& s) {
             s.runtime = "nvidia";
             s.limits.memory_bytes = 64 * kGiB;
             s.limits.cpu_millis = 16000;
             s.limits.pids = 4096;
             s.limits.timeout_millis = std::int64_t{48} * 3600 * 1000;
             s.limits.tmpfs_bytes = 16 * kGiB;
           }}},
         denies);
}

// The controls of the standard that a run can break; those that it cannot are below.
TEST(ExamplePolicies, PssRestricted) {
  const auto set = Example("pss-restricted.toml");
  ASSERT_NE(set, nullptr);
  EXPECT_FALSE(set->development());
  std::vector<Denies> denies = Closed();
  const std::vector<Denies> more{
      {"Volume types: none of them",
       [](RunSpec& s) {
         s.mounts = {{"/d", true, {}}};
       },
       "mount.source-missing mounts[0]"},
      {"/proc mount type: the whole of it",
       [](RunSpec& s) {
         s.mounts = {{"/proc", true, TmpfsMount{}}};
       },
       "mount.target-forbidden mounts[0].target"},
      {"Capabilities: of baseline's list, CHOWN",
       [](RunSpec& s) { s.add_capabilities = {"CHOWN"}; },
       "capability.not-allowed addCapabilities[0]"},
      {"Capabilities: one more beside NET_BIND_SERVICE",
       [](RunSpec& s) {
         s.add_capabilities = {"NET_BIND_SERVICE", "NET_RAW"};
       },
       "capability.not-allowed addCapabilities[1]"},
      {"Seccomp: a profile that nobody listed", [](RunSpec& s) { s.seccomp_profile = "strict"; },
       "seccomp.not-allowed seccompProfile"},
  };
  denies.insert(denies.end(), more.begin(), more.end());
  Expect(*set->Find("default"), kJob,
         {{"a plain run", Nothing},
          {"NET_BIND_SERVICE", [](RunSpec& s) { s.add_capabilities = {"CAP_NET_BIND_SERVICE"}; }},
          {"a user of its own", [](RunSpec& s) { s.user = "1000"; }},
          {"a pod's network", [](RunSpec& s) { s.network = NetworkMode::kBridge; }},
          {"an emptyDir",
           [](RunSpec& s) {
             s.mounts = {{"/cache", false, TmpfsMount{}}};
           }},
          {"a claim",
           [](RunSpec& s) {
             s.mounts = {{"/data", false, VolumeMount{"claim"}}};
           }}},
         denies);
  EXPECT_EQ(set->Find("default")->rules().capabilities,
            std::vector<std::string>{"NET_BIND_SERVICE"});
}

// Privileged, host namespaces, host ports, AppArmor, SELinux, sysctls, /proc's type and privilege
// escalation: RunSpec has no field for them. A new field must be held against the standard first.
TEST(ExamplePolicies, RunHasNoFieldForTheControlsThatPssLeavesToTheBroker) {
  std::istringstream proto(Source("proto/tidewaiter/v1/run_spec.proto"));
  std::set<std::string> fields;
  bool inside = false;
  for (std::string line; std::getline(proto, line);) {
    if (line == "message RunSpec {") inside = true;
    if (line == "}") inside = false;
    const std::size_t equals = line.find(" = ");
    if (!inside || equals == std::string::npos || line.find("//") != std::string::npos) continue;
    fields.insert(
        line.substr(line.rfind(' ', equals - 1) + 1, equals - line.rfind(' ', equals - 1) - 1));
  }
  EXPECT_EQ(fields, (std::set<std::string>{
                        "image", "command", "env", "working_dir", "user", "labels", "limits",
                        "network", "mounts", "add_capabilities", "read_only_rootfs", "runtime",
                        "seccomp_profile", "tenant", "backend", "idempotency_key"}));
}

// "unconfined" would be no profile at all, and no file may list it.
TEST(ExamplePolicies, UnconfinedCannotBeListed) {
  LoadError(Toml("[seccomp]\nallow = [\"unconfined\"]\n"));
}

}  // namespace
}  // namespace tidewaiter::policy
