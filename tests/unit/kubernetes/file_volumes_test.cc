#include "broker/kubernetes/file_volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/kubernetes/run_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

policy::Mount InputAt(const std::string& target, const std::string& name) {
  return {.target = target, .read_only = true, .source = policy::InputMount{name}};
}

policy::Mount OutputAt(const std::string& target, const std::string& name) {
  return {.target = target, .read_only = false, .source = policy::OutputMount{name}};
}

class FileVolumesTest : public ::testing::Test {
 protected:
  FileVolumesTest() {
    settings_.carrier_image = "r.example/carrier@sha256:" + std::string(64, 'c');
    spec_.mounts = {InputAt("/src", "code"), InputAt("/data", "data"), InputAt("/again", "code"),
                    OutputAt("/out", "results"), OutputAt("/more", "More_1.2")};
    spec_.limits.output_bytes = 1000;
    spec_.limits.input_bytes = 500;
  }
  Json Pod() {
    return At(BodyOf(spec_, settings_, {{"code", 2}, {"data", 1}}), {"spec", "template", "spec"});
  }
  static const Json& Named(const Json& list, const std::string& name) {
    for (const Json& one : list) {
      if (TextAt(one, "name") == name) return one;
    }
    static const Json none;
    return none;
  }

  policy::RunSpec spec_ = FullSpec();
  KubernetesSettings settings_ = TestSettings();
};

TEST_F(FileVolumesTest, InputsAreUnpackedAndOutputsMadeBeforeTheJobInOrder) {
  const Json pod = Pod();
  ASSERT_EQ(pod.at("initContainers").size(), 1U);
  const Json& carrier = pod.at("initContainers").at(0);
  EXPECT_EQ(carrier.at("name"), "prepare");
  EXPECT_EQ(carrier.at("command"),
            Json::parse(R"(["/tidewaiter-carrier","prepare",)"
                        R"("input","/tidewaiter/parts/0","/tidewaiter/inputs/0/files",)"
                        R"("input","/tidewaiter/parts/1","/tidewaiter/inputs/1/files",)"
                        R"("output","/tidewaiter/outputs/results/files",)"
                        R"("output","/tidewaiter/outputs/More_1.2/files"])"));
  std::vector<std::string> parts;
  for (const Json& source : At(Named(pod.at("volumes"), "parts"), {"projected", "sources"})) {
    const Json& secret = source.at("secret");
    parts.push_back(TextAt(secret, "name") + " " + TextAt(secret.at("items").at(0), "key") + " " +
                    TextAt(secret.at("items").at(0), "path"));
  }
  EXPECT_THAT(parts, ElementsAre(kName + "-0 part 0/000000", kName + "-1 part 0/000001",
                                 kName + "-2 part 1/000000"));
  EXPECT_EQ(Named(carrier.at("volumeMounts"), "parts").at("readOnly"), true);
}

TEST_F(FileVolumesTest, TheJobSeesItsFilesWhereItsMountsSay) {
  const Json pod = Pod();
  Json mounts = Json::array();
  for (const Json& mount : Named(pod.at("containers"), "job").at("volumeMounts")) {
    if (!TextAt(mount, "name").starts_with("tmpfs")) mounts.push_back(mount);
  }
  EXPECT_EQ(mounts, Json::parse(R"([
      {"name":"input-0","mountPath":"/src","subPath":"files","readOnly":true},
      {"name":"input-1","mountPath":"/data","subPath":"files","readOnly":true},
      {"name":"input-0","mountPath":"/again","subPath":"files","readOnly":true},
      {"name":"output-0","mountPath":"/out","subPath":"files"},
      {"name":"output-1","mountPath":"/more","subPath":"files"}])"));
  // And nothing of how they come.
  EXPECT_EQ(mounts.dump().find("parts"), std::string::npos);
}

TEST_F(FileVolumesTest, TheOutputsAreKeptBesideTheJobByNames) {
  const Json pod = Pod();
  const Json& keeper = Named(pod.at("containers"), "outputs");
  EXPECT_EQ(keeper.at("command"), Json::parse(R"(["/tidewaiter-carrier","hold"])"));
  EXPECT_EQ(keeper.at("volumeMounts"), Json::parse(R"([
      {"name":"output-0","mountPath":"/tidewaiter/outputs/results","subPath":"files"},
      {"name":"output-1","mountPath":"/tidewaiter/outputs/More_1.2","subPath":"files"}])"));
  EXPECT_THAT(PackCommand("results", 12, false),
              ElementsAre("/tidewaiter-carrier", "pack", "/tidewaiter/outputs/results", "12"));
  EXPECT_THAT(
      PackCommand("results", 12, true),
      ElementsAre("/tidewaiter-carrier", "pack", "/tidewaiter/outputs/results", "12", "last"));
}

// So that a carrier that cannot be had is found before the command runs.
TEST_F(FileVolumesTest, RunWithOutputsAloneIsPreparedToo) {
  spec_.mounts = {OutputAt("/out", "results")};
  const Json pod = At(BodyOf(spec_, settings_), {"spec", "template", "spec"});
  ASSERT_EQ(pod.at("initContainers").size(), 1U);
  const Json& carrier = pod.at("initContainers").at(0);
  EXPECT_EQ(carrier.at("command"), Json::parse(R"(["/tidewaiter-carrier","prepare",)"
                                               R"("output","/tidewaiter/outputs/results/files"])"));
  EXPECT_EQ(carrier.at("volumeMounts"), Json::parse(R"([
      {"name":"output-0","mountPath":"/tidewaiter/outputs/results"}])"));
}

// Pod Security Standards, restricted; and the user is the run's, whose the files are.
TEST_F(FileVolumesTest, CarriersHaveNoMoreRightsThanTheJob) {
  const Json pod = Pod();
  for (const Json* carrier :
       {&pod.at("initContainers").at(0), &Named(pod.at("containers"), "outputs")}) {
    EXPECT_EQ(carrier->at("image"), settings_.carrier_image);
    Json security = Named(pod.at("containers"), "job").at("securityContext");
    security["capabilities"].erase("add");
    EXPECT_EQ(carrier->at("securityContext"), security);
    EXPECT_EQ(carrier->at("resources").at("limits"), carrier->at("resources").at("requests"));
    EXPECT_EQ(carrier->at("terminationMessagePolicy"), "FallbackToLogsOnError");
  }
}

TEST_F(FileVolumesTest, EveryVolumeOnTheDiskHasABound) {
  const Json pod = Pod();
  std::set<std::string> bounded;
  for (const Json& volume : pod.at("volumes")) {
    if (volume.contains("emptyDir") && !volume.at("emptyDir").contains("medium")) {
      bounded.insert(TextAt(volume, "name") + " " + TextAt(volume.at("emptyDir"), "sizeLimit"));
    }
  }
  const std::string input = std::to_string(500 + (64 << 20));
  const std::string output = std::to_string(1000 + (64 << 20));
  EXPECT_THAT(bounded, ElementsAre("input-0 " + input, "input-1 " + input, "output-0 " + output,
                                   "output-1 " + output));
}

TEST_F(FileVolumesTest, RunWithoutFilesHasNothingOfIt) {
  spec_.mounts = {};
  const Json pod = At(BodyOf(spec_, settings_), {"spec", "template", "spec"});
  EXPECT_FALSE(pod.contains("initContainers"));
  for (const Json& volume : pod.at("volumes")) {
    EXPECT_TRUE(TextAt(volume, "name").starts_with("tmpfs"));
  }
  EXPECT_EQ(pod.at("containers").size(), 1U);
}

TEST_F(FileVolumesTest, NamesAreThoseOfTheMountsOnce) {
  const policy::AdmittedRun admitted = AdmittedOf(spec_);
  EXPECT_THAT(InputsOf(admitted.effective()), ElementsAre("code", "data"));
  EXPECT_THAT(OutputsOf(admitted.effective()), ElementsAre("results", "More_1.2"));
  const policy::AdmittedRun plain = AdmittedOf(FullSpec());
  EXPECT_THAT(InputsOf(plain.effective()), IsEmpty());
}

}  // namespace
}  // namespace tidewaiter::kubernetes
