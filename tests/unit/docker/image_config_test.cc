#include "broker/docker/image_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidewaiter::docker {
namespace {

const std::string kId = "sha256:" + std::string(64, 'a');
const std::string kDigest = "sha256:" + std::string(64, 'd');

Json Inspect() {
  return {{"Id", kId}, {"Os", "linux"}, {"Config", {{"Cmd", {"sh"}}}}, {"RepoDigests", nullptr}};
}

Result<void> Check(const Json& config, const policy::EffectiveRun& run = {}) {
  Json inspect = Inspect();
  inspect["Config"] = config;
  const Result<ImageConfig> image = ReadImageConfig(inspect);
  EXPECT_TRUE(image.has_value());
  return CheckImage(*image, run);
}

TEST(ImageConfigTest, ReadsWhatAnImageBrings) {
  const Result<ImageConfig> image = ReadImageConfig(Inspect());
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->id, kId);
  EXPECT_EQ(image->command, std::vector<std::string>{"sh"});
  EXPECT_EQ(image->entrypoint, std::nullopt);
}

TEST(ImageConfigTest, AnswerOfAnotherShapeIsAnError) {
  EXPECT_FALSE(ReadImageConfig(Json::array()).has_value());
  EXPECT_FALSE(ReadImageConfig({{"Id", "sha256:short"}}).has_value());
  EXPECT_FALSE(ReadImageConfig({{"Id", kId}, {"Config", {{"Cmd", "sh"}}}}).has_value());
}

TEST(ImageConfigTest, LabelInTheBrokersNameIsRefused) {
  const auto checked = Check({{"Labels", {{"io.tidewaiter.tenant.job", "other"}}}});
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().Reason(), "IMAGE_REFUSED");
}

TEST(ImageConfigTest, MountainOfLabelsIsRefused) {
  EXPECT_TRUE(Check({{"Labels", {{"a", std::string(1000, 'x')}}}}).has_value());
  EXPECT_FALSE(Check({{"Labels", {{"a", std::string(70000, 'x')}}}}).has_value());
}

TEST(ImageConfigTest, VolumeIsRefusedUnlessAMountCoversIt) {
  const Json config = {{"Volumes", {{"/data/", Json::object()}}}};
  EXPECT_FALSE(Check(config).has_value());
  policy::EffectiveRun run;
  run.mounts.push_back({.target = "/data", .read_only = false, .source = policy::TmpfsMount{1}});
  EXPECT_TRUE(Check(config, run).has_value());
}

TEST(ImageConfigTest, ImageForAnotherSystemIsRefused) {
  ImageConfig image;
  image.os = "windows";
  EXPECT_FALSE(CheckImage(image, {}).has_value());
}

TEST(ImageConfigTest, DigestCountsOnlyUnderTheRepositorysOwnName) {
  ImageConfig image;
  image.repo_digests = {"127.0.0.1:5000/evil/job@" + kDigest, "busybox@" + kDigest};
  policy::ImageReference reference{
      .registry = "127.0.0.1:5000", .repository = "lab/job", .tag = "", .digest = kDigest};
  EXPECT_EQ(DigestFrom(image, reference), "");
  reference.repository = "evil/job";
  EXPECT_EQ(DigestFrom(image, reference), kDigest);
  reference = {
      .registry = "docker.io", .repository = "library/busybox", .tag = "", .digest = kDigest};
  EXPECT_EQ(DigestFrom(image, reference), kDigest);
}

}  // namespace
}  // namespace tidewaiter::docker
