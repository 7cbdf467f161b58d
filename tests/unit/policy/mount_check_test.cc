#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kMiB = 1024 * 1024;
const std::string kBinds = Toml("[mounts]\nallow = [\"/srv/data\", \"/opt/tool\"]\n");
const FakeHostPaths kHost({"/srv/data", "/srv/data/x", "/opt/tool"});

RunSpec Mounts(std::vector<Mount> mounts) {
  RunSpec spec = AdmittedSpec();
  spec.mounts = std::move(mounts);
  return spec;
}

Mount Bind(std::string source, std::string target = "/data", bool read_only = true) {
  return {std::move(target), read_only, BindMount{std::move(source)}};
}

Mount Tmpfs(std::string target, std::optional<std::int64_t> size = std::nullopt) {
  return {std::move(target), false, TmpfsMount{size}};
}

std::vector<std::string> AskTarget(const std::string& target) {
  return Ask(Toml(), Mounts({Tmpfs(target)}));
}

TEST(MountCheck, TmpIsImplied) {
  RunSpec spec = AdmittedSpec();
  spec.limits.tmpfs_bytes = 32 * kMiB;
  EXPECT_THAT(Effective(Toml(), spec).mounts, ElementsAre(Tmpfs("/tmp", 32 * kMiB)));
}

TEST(MountCheck, TmpIsNotImpliedWhereAMountTargetsIt) {
  EXPECT_THAT(Effective(kBinds, Mounts({Bind("/srv/data", "/tmp")}), kHost).mounts,
              ElementsAre(Bind("/srv/data", "/tmp")));
}

TEST(MountCheck, TmpfsSizeDefaultsToTheLimit) {
  EXPECT_THAT(Effective(Toml(), Mounts({Tmpfs("/scratch")})).mounts,
              ElementsAre(Tmpfs("/scratch", 64 * kMiB), Tmpfs("/tmp", 64 * kMiB)));
}

TEST(MountCheck, TmpfsSizeIsBounded) {
  EXPECT_THAT(Ask(Toml(), Mounts({Tmpfs("/s", 512 * kMiB)})), IsEmpty());
  EXPECT_THAT(Ask(Toml(), Mounts({Tmpfs("/s", 512 * kMiB + 1)})),
              ElementsAre("limit.too-large mounts[0].tmpfs.sizeBytes"));
  EXPECT_THAT(Ask(Toml(), Mounts({Tmpfs("/s", 0)})),
              ElementsAre("limit.not-positive mounts[0].tmpfs.sizeBytes"));
  EXPECT_THAT(Ask(Toml(), Mounts({Tmpfs("/s", 100)})),
              ElementsAre("limit.too-small mounts[0].tmpfs.sizeBytes"));
}

TEST(MountCheck, TargetsThatAreNoNormalPathAreDenied) {
  for (const std::string& bad :
       {""s, "data"s, "./data"s, "/a/../etc"s, "/a/./b"s, "//a"s, "/a//b"s, "/a/"s, "/a\0b"s,
        "/a\nb"s, "/\xff"s, "/"s + std::string(5000, 'a')}) {
    EXPECT_THAT(AskTarget(bad), ElementsAre("mount.target-invalid mounts[0].target")) << bad;
  }
}

TEST(MountCheck, SystemTargetsAreDenied) {
  for (const char* bad : {"/", "/proc", "/proc/sys", "/sys", "/sys/fs/cgroup", "/dev", "/dev/shm",
                          "/etc", "/etc/passwd", "/root", "/boot/x", "/run/docker.sock",
                          "/var/run/docker.sock", "/var/lib/docker/volumes"}) {
    EXPECT_THAT(AskTarget(bad), ElementsAre("mount.target-forbidden mounts[0].target")) << bad;
  }
  for (const char* good :
       {"/processes", "/etcetera", "/device", "/data", "/var/lib", "/home/x/etc"}) {
    EXPECT_THAT(AskTarget(good), IsEmpty()) << good;
  }
}

TEST(MountCheck, EqualAndNestedTargetsAreDenied) {
  EXPECT_THAT(Ask(Toml(), Mounts({Tmpfs("/a"), Tmpfs("/a")})),
              ElementsAre("mount.target-overlaps mounts[1].target"));
  EXPECT_THAT(Ask(Toml(), Mounts({Tmpfs("/a"), Tmpfs("/a/b")})),
              ElementsAre("mount.target-overlaps mounts[1].target"));
  EXPECT_THAT(Ask(Toml(), Mounts({Tmpfs("/a/b"), Tmpfs("/a")})),
              ElementsAre("mount.target-overlaps mounts[1].target"));
  EXPECT_THAT(Ask(Toml(), Mounts({Tmpfs("/a"), Tmpfs("/ab")})), IsEmpty());
}

TEST(MountCheck, TargetInsideTheImpliedTmpIsDenied) {
  EXPECT_THAT(AskTarget("/tmp/x"), ElementsAre("mount.target-overlaps mounts[0].target"));
}

TEST(MountCheck, BindsAreDeniedByDefault) {
  EXPECT_THAT(Ask(Toml(), Mounts({Bind("/srv/data")})),
              ElementsAre("mount.source-not-allowed mounts[0].bind.source"));
}

TEST(MountCheck, AllowedBindsGoByWholeSegments) {
  EXPECT_THAT(Ask(kBinds, Mounts({Bind("/srv/data")}), kHost), IsEmpty());
  EXPECT_THAT(Ask(kBinds, Mounts({Bind("/srv/data/x")}), kHost), IsEmpty());
  EXPECT_THAT(Ask(kBinds, Mounts({Bind("/srv/data-evil")}), kHost),
              ElementsAre("mount.source-not-allowed mounts[0].bind.source"));
  EXPECT_THAT(Ask(kBinds, Mounts({Bind("/srv")}), kHost),
              ElementsAre("mount.source-not-allowed mounts[0].bind.source"));
}

TEST(MountCheck, WritableBindNeedsLeave) {
  EXPECT_THAT(Ask(kBinds, Mounts({Bind("/srv/data", "/data", false)}), kHost),
              ElementsAre("mount.writable mounts[0].readOnly"));
  EXPECT_THAT(Ask(kBinds + "writable = true\n", Mounts({Bind("/srv/data", "/data", false)}), kHost),
              IsEmpty());
}

TEST(MountCheck, SourcesThatAreNoNormalPathAreDenied) {
  for (const std::string& bad : {""s, "data"s, "/srv/data/../../etc"s, "/srv//data"s, "/srv/data/"s,
                                 "/srv/data\0/x"s, "/srv/./data"s}) {
    EXPECT_THAT(Ask(kBinds, Mounts({Bind(bad)}), kHost),
                ElementsAre("mount.source-invalid mounts[0].bind.source"))
        << bad;
  }
}

TEST(MountCheck, SystemAndEngineSourcesAreForbiddenWithTheirAncestors) {
  for (const char* bad : {"/",
                          "/etc",
                          "/etc/shadow",
                          "/proc/1",
                          "/sys",
                          "/dev/kmsg",
                          "/root/.ssh",
                          "/boot",
                          "/run/docker.sock",
                          "/var/run/docker.sock",
                          "/var/lib/docker",
                          "/var/lib/docker/overlay2",
                          "/run/containerd/containerd.sock",
                          "/var/lib/containerd",
                          "/run/crio/crio.sock",
                          "/run/podman/podman.sock",
                          "/var",
                          "/var/lib",
                          "/run",
                          "/var/run",
                          "/srv/vm/docker.sock"}) {
    EXPECT_THAT(Ask(kBinds, Mounts({Bind(bad)}), kHost),
                ElementsAre("mount.source-forbidden mounts[0].bind.source",
                            "mount.source-not-allowed mounts[0].bind.source"))
        << bad;
  }
}

TEST(MountCheck, UntrustedSourceIsDenied) {
  EXPECT_THAT(Ask(kBinds, Mounts({Bind("/srv/data/absent")}), kHost),
              ElementsAre("mount.source-untrusted mounts[0].bind.source"));
}

TEST(MountCheck, HostIsAskedOnlyAboutAllowedSources) {
  const FakeHostPaths host;
  Ask(kBinds,
      Mounts({Bind("/etc/shadow", "/a"), Bind("/home/secret", "/b"), Bind("/opt/tool", "/c")}),
      host);
  EXPECT_THAT(host.asked(), ElementsAre("/opt/tool"));
}

TEST(MountCheck, TwoFaultsOfOneMountAreTwoViolations) {
  EXPECT_THAT(Ask(kBinds, Mounts({Bind("/home/x", "/etc")}), kHost),
              ElementsAre("mount.target-forbidden mounts[0].target",
                          "mount.source-not-allowed mounts[0].bind.source"));
}

TEST(MountCheck, MountWithoutSourceIsDenied) {
  EXPECT_THAT(Ask(Toml(), Mounts({Mount{"/data", false, {}}})),
              ElementsAre("mount.source-missing mounts[0]"));
}

TEST(MountCheck, NamesOfInputsOutputsAndVolumesArePlain) {
  EXPECT_THAT(Ask(Toml(), Mounts({{"/i", true, InputMount{"../x"}},
                                  {"/o", false, OutputMount{""}},
                                  {"/v", false, VolumeMount{"a/b"}}})),
              ElementsAre("mount.name-invalid mounts[0].input.name",
                          "mount.name-invalid mounts[1].output.name",
                          "mount.name-invalid mounts[2].volume.name"));
}

TEST(MountCheck, InputIsReadOnlyInTheEffectiveRun) {
  EXPECT_TRUE(Effective(Toml(), Mounts({{"/i", false, InputMount{"in"}}})).mounts[0].read_only);
}

TEST(MountCheck, OutputsAreWritableAndDistinct) {
  EXPECT_THAT(Ask(Toml(), Mounts({{"/a", true, OutputMount{"out"}}})),
              ElementsAre("mount.output-conflict mounts[0].readOnly"));
  EXPECT_THAT(
      Ask(Toml(), Mounts({{"/a", false, OutputMount{"out"}}, {"/b", false, OutputMount{"out"}}})),
      ElementsAre("mount.output-conflict mounts[1].output.name"));
}

TEST(MountCheck, CountIsBounded) {
  std::vector<Mount> mounts;
  for (int i = 0; i < 64; ++i) mounts.push_back(Tmpfs("/m" + std::to_string(i)));
  EXPECT_EQ(Effective(Toml(), Mounts(mounts)).mounts.size(), 65U);
  mounts.push_back(Tmpfs("/m64"));
  EXPECT_THAT(Ask(Toml(), Mounts(mounts)), ElementsAre("mount.too-many mounts"));
}

}  // namespace
}  // namespace tidewaiter::policy
