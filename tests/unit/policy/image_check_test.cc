#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

RunSpec Image(const std::string& image) {
  RunSpec spec;
  spec.image = image;
  return spec;
}

std::string Job(const std::string& tag, const std::string& digest = kDigest) {
  return "ghcr.io/team/job" + (tag.empty() ? "" : ":" + tag) + (digest.empty() ? "" : "@" + digest);
}

std::string Entry(std::string_view more) {
  return "version = 1\n[[images.allow]]\nrepository = \"ghcr.io/team/job\"\n" + std::string(more);
}

TEST(ImageCheck, AdmittedImageIsCanonicalInTheEffectiveRun) {
  const EffectiveRun run = Effective(Toml(), Image("GHCR.io/team/job:1.2.3@" + kDigest));
  EXPECT_EQ(run.image.Canonical(), kImage);
  EXPECT_TRUE(run.verify_tag);
}

TEST(ImageCheck, NoPolicyNoImage) {
  EXPECT_THAT(Ask("version = 1", AdmittedSpec()),
              ElementsAre("image.repository-not-allowed image"));
}

TEST(ImageCheck, NoReferenceIsOneViolation) {
  EXPECT_THAT(Ask(Toml(), Image("ghcr.io/Team/job")), ElementsAre("image.invalid image"));
  EXPECT_THAT(Ask(Toml(), Image("")), ElementsAre("image.invalid image"));
}

TEST(ImageCheck, MissingTagAndDigestAreTwoViolations) {
  EXPECT_THAT(Ask(Toml(), Image("ghcr.io/team/job")),
              ElementsAre("image.tag-required image", "image.digest-required image"));
}

TEST(ImageCheck, LatestIsNoSemanticVersion) {
  EXPECT_THAT(Ask(Toml(), Image(Job("latest"))), ElementsAre("image.tag-not-semver image"));
  EXPECT_THAT(Ask(Toml(), Image(Job("1.2"))), ElementsAre("image.tag-not-semver image"));
}

TEST(ImageCheck, NeighbourWithTheSamePrefixIsDenied) {
  EXPECT_THAT(Ask(Toml(), Image("ghcr.io/team-evil/job:1.2.3@" + kDigest)),
              ElementsAre("image.repository-not-allowed image"));
  EXPECT_THAT(Ask(Toml(), Image("ghcr.io.evil.com/team/job:1.2.3@" + kDigest)),
              ElementsAre("image.repository-not-allowed image"));
  EXPECT_THAT(Ask(Toml(), Image("evil.com/ghcr.io/team/job:1.2.3@" + kDigest)),
              ElementsAre("image.repository-not-allowed image"));
}

TEST(ImageCheck, DeniedRepositoryAndMissingDigestAreBothListed) {
  EXPECT_THAT(Ask(Toml(), Image("quay.io/x/y:1.0.0")),
              ElementsAre("image.digest-required image", "image.repository-not-allowed image"));
}

TEST(ImageCheck, VersionRangeDecides) {
  const std::string policy = Entry("versions = \">=1.2.0 <2.0.0\"");
  EXPECT_THAT(Ask(policy, Image(Job("1.2.0"))), IsEmpty());
  EXPECT_THAT(Ask(policy, Image(Job("v1.9.9"))), IsEmpty());
  EXPECT_THAT(Ask(policy, Image(Job("2.0.0"))), ElementsAre("image.version-not-allowed image"));
  EXPECT_THAT(Ask(policy, Image(Job("1.3.0-rc.1"))),
              ElementsAre("image.version-not-allowed image"));
}

TEST(ImageCheck, PrereleaseNeedsARangeThatAdmitsIt) {
  EXPECT_THAT(Ask(Entry(""), Image(Job("1.2.3-rc.1"))),
              ElementsAre("image.version-not-allowed image"));
  EXPECT_THAT(Ask(Entry("versions = \">=1.2.3-rc.0\""), Image(Job("1.2.3-rc.1"))), IsEmpty());
}

TEST(ImageCheck, DigestListDecides) {
  const std::string policy = Entry("digests = [\"" + kDigest + "\"]");
  EXPECT_THAT(Ask(policy, Image(Job("1.0.0", kDigest))), IsEmpty());
  EXPECT_THAT(Ask(policy, Image(Job("1.0.0", kOtherDigest))),
              ElementsAre("image.digest-not-allowed image"));
}

TEST(ImageCheck, VersionAndDigestMustStandInOneEntry) {
  const std::string policy =
      Entry("versions = \"1.x\"\ndigests = [\"" + kDigest + "\"]\n") +
      "[[images.allow]]\nrepository = \"ghcr.io/team/job\"\nversions = \"2.x\"\ndigests = [\"" +
      kOtherDigest + "\"]\n";
  EXPECT_THAT(Ask(policy, Image(Job("1.0.0", kDigest))), IsEmpty());
  EXPECT_THAT(Ask(policy, Image(Job("2.0.0", kOtherDigest))), IsEmpty());
  EXPECT_THAT(Ask(policy, Image(Job("1.0.0", kOtherDigest))),
              ElementsAre("image.digest-not-allowed image"));
  EXPECT_THAT(Ask(policy, Image(Job("3.0.0", "sha256:" + std::string(64, 'c')))),
              ElementsAre("image.version-not-allowed image", "image.digest-not-allowed image"));
}

TEST(ImageCheck, RepositoryFromOneEntryDoesNotBorrowVersionsOfAnother) {
  const std::string policy =
      Entry("versions = \"1.x\"\n") + "[[images.allow]]\nrepository = \"ghcr.io/team/other\"\n";
  EXPECT_THAT(Ask(policy, Image(Job("2.0.0"))), ElementsAre("image.version-not-allowed image"));
}

TEST(ImageCheck, DevelopmentMayTakeAnyTagAndNoDigest) {
  const std::string policy =
      "version = 1\nmode = \"development\"\n[images]\ntag = \"any\"\ndigest = \"optional\"\n"
      "[[images.allow]]\nrepository = \"127.0.0.1:5000/**\"\n";
  const EffectiveRun run = Effective(policy, Image("127.0.0.1:5000/job"));
  EXPECT_EQ(run.image.Canonical(), "127.0.0.1:5000/job:latest");
  EXPECT_FALSE(run.verify_tag);
  EXPECT_THAT(Ask(policy, Image("127.0.0.1:5000/a/b:nightly")), IsEmpty());
  EXPECT_THAT(Ask(policy, Image("127.0.0.1:5001/a:1")),
              ElementsAre("image.repository-not-allowed image"));
}

TEST(ImageCheck, RangeInDevelopmentStillNeedsAVersion) {
  const std::string policy =
      "version = 1\nmode = \"development\"\n[images]\ntag = \"any\"\n"
      "[[images.allow]]\nrepository = \"ghcr.io/team/job\"\nversions = \"*\"\n";
  EXPECT_THAT(Ask(policy, Image(Job("nightly"))), ElementsAre("image.version-not-allowed image"));
}

TEST(ImageCheck, VerifyTagCanBeTurnedOff) {
  EXPECT_FALSE(Effective(Entry("") + "[images]\nverify_tag = false\n", AdmittedSpec()).verify_tag);
}

TEST(ImageCheck, RemedyNamesWhatWouldBeAdmitted) {
  const auto set = LoadSet(Entry("versions = \">=1.2.0 <2.0.0\""));
  const Decision decision = Evaluate(*set->Find("default"), Image(Job("3.0.0")), FakeHostPaths());
  ASSERT_EQ(decision.violations().size(), 1U);
  EXPECT_EQ(decision.violations()[0].remedy, ">=1.2.0 <2.0.0");
}

}  // namespace
}  // namespace tidewaiter::policy
