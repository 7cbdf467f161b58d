// [policy.NAME] may only tighten: a child that admits what its parent denies does not load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kParent = R"(version = 1
[[images.allow]]
repository = "ghcr.io/team/**"
versions = ">=1.2.0 <2.0.0"
[[images.allow]]
repository = "quay.io/org/*"
[limits.memory]
max = "4GiB"
[mounts]
allow = ["/srv/data"]
[network]
modes = ["none", "isolated"]
[capabilities]
allow = ["CHOWN", "KILL"]
[runtimes]
allow = ["runsc"]
[policy.child]
inherits = "default"
)";

std::string Loosened(std::string_view child) {
  return LoadError(kParent + std::string(child));
}
std::shared_ptr<const PolicySet> Tightened(std::string_view child) {
  return LoadSet(kParent + std::string(child));
}

TEST(Tightening, WhatIsNotSaidIsInherited) {
  const auto set = Tightened("");
  const Rules& child = set->Find("child")->rules();
  EXPECT_EQ(child.limits, set->Find("default")->rules().limits);
  EXPECT_EQ(child.capabilities, (std::vector<std::string>{"CHOWN", "KILL"}));
  EXPECT_THAT(Broken(Evaluate(*set->Find("child"), AdmittedSpec(), FakeHostPaths())), IsEmpty());
}

TEST(Tightening, NarrowerTablesLoadAndDecide) {
  const auto set = Tightened(R"([[policy.child.images.allow]]
repository = "ghcr.io/team/job"
versions = "1.3.x"
[policy.child.limits.memory]
max = "1GiB"
[policy.child.network]
modes = ["none"]
)");
  EXPECT_THAT(Broken(Evaluate(*set->Find("default"), AdmittedSpec(), FakeHostPaths())), IsEmpty());
  EXPECT_THAT(Broken(Evaluate(*set->Find("child"), AdmittedSpec(), FakeHostPaths())),
              ElementsAre("image.version-not-allowed image"));
  EXPECT_EQ(set->Find("child")->rules().limits[0], (LimitRule{1 << 30, 1 << 30}));
}

TEST(Tightening, WiderImagesAreRefused) {
  for (const char* entry : {
           "repository = \"ghcr.io/other/x\"",
           "repository = \"ghcr.io/team/x\"",  // without versions: any release
           "repository = \"ghcr.io/team/x\"\nversions = \">=1.2.0\"",
           "repository = \"ghcr.io/team/x\"\nversions = \">=1.2.0-rc.1 <2.0.0\"",
           "repository = \"quay.io/org/**\"",
           "repository = \"quay.io/org/x\"\nversions = \"1.0.0-rc.1\"",
       }) {
    EXPECT_THAT(Loosened(std::string("[[policy.child.images.allow]]\n") + entry + "\n"),
                HasSubstr("'policy.child.images.allow[0]' loosens policy 'default'"))
        << entry;
  }
}

TEST(Tightening, WiderLimitIsRefused) {
  EXPECT_THAT(Loosened("[policy.child.limits.memory]\nmax = \"5GiB\"\n"),
              HasSubstr("'policy.child.limits.memory.max' loosens policy 'default': at most 4GiB"));
}

TEST(Tightening, WiderMountsAreRefused) {
  EXPECT_THAT(Loosened("[policy.child.mounts]\nallow = [\"/srv/other\"]\n"), HasSubstr("loosens"));
  EXPECT_THAT(Loosened("[policy.child.mounts]\nallow = [\"/srv\"]\n"), HasSubstr("loosens"));
  EXPECT_THAT(Loosened("[policy.child.mounts]\nwritable = true\n"), HasSubstr("loosens"));
  EXPECT_NE(Tightened("[policy.child.mounts]\nallow = [\"/srv/data/x\"]\n"), nullptr);
}

TEST(Tightening, WiderGrantsAreRefused) {
  EXPECT_THAT(Loosened("[policy.child.network]\nmodes = [\"bridge\"]\n"), HasSubstr("loosens"));
  EXPECT_THAT(Loosened("[policy.child.capabilities]\nallow = [\"SYS_ADMIN\"]\n"),
              HasSubstr("loosens"));
  EXPECT_THAT(Loosened("[policy.child.user]\nallow_root = true\n"), HasSubstr("loosens"));
  EXPECT_THAT(Loosened("[policy.child.runtimes]\nallow = [\"runc\"]\n"), HasSubstr("loosens"));
  EXPECT_THAT(Loosened("[policy.child.seccomp]\nallow = [\"x\"]\n"), HasSubstr("loosens"));
}

TEST(Tightening, TagCheckCannotBeTurnedOff) {
  EXPECT_THAT(Loosened("[policy.child.images]\nverify_tag = false\n"), HasSubstr("loosens"));
}

TEST(Tightening, DevelopmentChildCannotDropWhatItsParentKeeps) {
  const std::string parent =
      "version = 1\nmode = \"development\"\n[rootfs]\nallow_writable = false\n[policy.x]\n"
      "inherits = \"default\"\n";
  EXPECT_THAT(LoadError(parent + "[policy.x.images]\ntag = \"any\"\n"), HasSubstr("loosens"));
  EXPECT_THAT(LoadError(parent + "[policy.x.images]\ndigest = \"optional\"\n"),
              HasSubstr("loosens"));
  EXPECT_THAT(LoadError(parent + "[policy.x.rootfs]\nallow_writable = true\n"),
              HasSubstr("loosens"));
}

TEST(Tightening, DigestsAreASubset) {
  const std::string parent =
      "version = 1\n[[images.allow]]\nrepository = \"ghcr.io/team/job\"\n"
      "digests = [\"" +
      kDigest +
      "\"]\n[policy.x]\ninherits = \"default\"\n"
      "[[policy.x.images.allow]]\nrepository = \"ghcr.io/team/job\"\n";
  EXPECT_THAT(LoadError(parent), HasSubstr("loosens"));
  EXPECT_THAT(LoadError(parent + "digests = [\"" + kOtherDigest + "\"]\n"), HasSubstr("loosens"));
  EXPECT_NE(LoadSet(parent + "digests = [\"" + kDigest + "\"]\n"), nullptr);
}

TEST(Tightening, GrandchildIsHeldToItsParent) {
  const std::string chain = kParent +
                            "[policy.child.limits.memory]\nmax = \"2GiB\"\n"
                            "[policy.a-grandchild]\ninherits = \"child\"\n"
                            "[policy.a-grandchild.limits.memory]\n";
  EXPECT_THAT(LoadError(chain + "max = \"3GiB\"\n"), HasSubstr("loosens policy 'child'"));
  EXPECT_NE(LoadSet(chain + "max = \"1GiB\"\n")->Find("a-grandchild"), nullptr);
}

TEST(Tightening, InheritanceMustEndAtDefault) {
  EXPECT_THAT(LoadError("version = 1\n[policy.x]\n"), HasSubstr("'policy.x.inherits' is missing"));
  EXPECT_THAT(LoadError("version = 1\n[policy.x]\ninherits = \"y\"\n"),
              HasSubstr("inherits from an unknown policy"));
  EXPECT_THAT(LoadError("version = 1\n[policy.x]\ninherits = \"x\"\n"),
              HasSubstr("inherits from itself"));
  EXPECT_THAT(
      LoadError("version = 1\n[policy.x]\ninherits = \"y\"\n[policy.y]\ninherits = \"x\"\n"),
      HasSubstr("inherits from itself"));
  EXPECT_THAT(LoadError("version = 1\n[policy.default]\ninherits = \"default\"\n"),
              HasSubstr("another name"));
}

}  // namespace
}  // namespace tidewaiter::policy
