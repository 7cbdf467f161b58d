#include "broker/kubernetes/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/kubernetes/run_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(LabelsTest, ValueThatIsLegalStaysItself) {
  for (const std::string& text :
       {std::string(), std::string("a"), std::string("A-b_c.9"), std::string(63, 'a')}) {
    EXPECT_EQ(LabelValue(text), text);
  }
}

TEST(LabelsTest, ValueOf64CharactersIsHashed) {
  EXPECT_EQ(LabelValue(std::string(64, 'a')),
            "sha256-ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df");
  EXPECT_EQ(LabelValue(std::string(64, 'a')).size(), 63U);
}

TEST(LabelsTest, ValueThatIsNoLabelsIsHashed) {
  EXPECT_EQ(LabelValue("\xc3\xa4"),
            "sha256-33e6d73fee82904c8d7afb78de1154d1e8dc2a0edb08120e63df5b93");
  for (const char* text : {"-a", "a-", ".a", "a.", "_a", "a_", "a b", "a/b", "a:b", "a\n", "-"}) {
    EXPECT_EQ(LabelValue(text).size(), 63U) << text;
    EXPECT_TRUE(LabelValue(text).starts_with("sha256-")) << text;
  }
}

// Otherwise a tenant could be labelled as another one, whose name has that hash.
TEST(LabelsTest, ValueThatLooksLikeAHashIsHashedItself) {
  EXPECT_EQ(LabelValue("sha256-1"),
            "sha256-471730abf869bffeb347043fdc50929625c157975db1999b8b3b0e29");
  const std::string hash = LabelValue("job of the day");
  EXPECT_NE(LabelValue(hash), hash);
  EXPECT_EQ(LabelValue("sha256"), "sha256");
  EXPECT_EQ(LabelValue("SHA256-1"), "SHA256-1");
}

ObjectLabels All(const policy::RunSpec& spec, std::string_view principal = "validator") {
  return LabelsOf(kBrokerId, kRunId, principal, AdmittedOf(spec).effective());
}

TEST(LabelsTest, EverythingIsLabelledWithBrokerRunPrincipalTenantAndItsOwn) {
  const ObjectLabels all = All(FullSpec());
  EXPECT_THAT(
      all.labels,
      UnorderedElementsAre(Pair("io.tidewaiter.broker", kBrokerId.value()),
                           Pair("io.tidewaiter.run", kRunId.value()),
                           Pair("io.tidewaiter.principal", "validator"),
                           Pair("io.tidewaiter.tenant.challenge", "c1"),
                           Pair("io.tidewaiter.tenant.job",
                                "sha256-27b2435386f2eaa05be6bf19d9b95295ac0580b4bae5538cc575d78f"),
                           Pair("team", "blue")));
  EXPECT_THAT(all.annotations, ElementsAre(Pair("io.tidewaiter.tenant.job", "job of the day")));
}

TEST(LabelsTest, TenantThatIsNotSetHasNoLabel) {
  policy::RunSpec spec = FullSpec();
  spec.tenant = {};
  spec.labels = {};
  EXPECT_EQ(All(spec).labels.size(), 3U);
  EXPECT_TRUE(All(spec).annotations.empty());
}

TEST(LabelsTest, RunsOwnLabelNeverReplacesTheBrokers) {
  policy::EffectiveRun run = AdmittedOf(FullSpec()).effective();
  run.labels = {{"io.tidewaiter.run", "another run"}, {"io.tidewaiter.broker", "another"}};
  const ObjectLabels all = LabelsOf(kBrokerId, kRunId, "validator", run);
  EXPECT_EQ(all.labels.at("io.tidewaiter.run"), kRunId.value());
  EXPECT_EQ(all.labels.at("io.tidewaiter.broker"), kBrokerId.value());
  EXPECT_FALSE(all.annotations.contains("io.tidewaiter.run"));
}

Json Labelled(const std::string& broker, const std::string& run) {
  return {
      {"metadata", {{"labels", {{"io.tidewaiter.broker", broker}, {"io.tidewaiter.run", run}}}}}};
}

TEST(LabelsTest, ObjectBelongsToOneBrokerAndOneRun) {
  EXPECT_TRUE(BelongsTo(Labelled(kBrokerId.value(), kRunId.value()), kBrokerId, kRunId));
  EXPECT_FALSE(BelongsTo(Labelled("another", kRunId.value()), kBrokerId, kRunId));
  EXPECT_FALSE(BelongsTo(Labelled(kBrokerId.value(), "another"), kBrokerId, kRunId));
  EXPECT_FALSE(BelongsTo(Json::object(), kBrokerId, kRunId));
  EXPECT_FALSE(BelongsTo(Json(), kBrokerId, kRunId));
  // An object without labels is nobody's, not that of a broker without an id.
  EXPECT_FALSE(BelongsTo(Labelled("", ""), BrokerId(), RunId()));
}

TEST(LabelsTest, QueryIsPercentEncoded) {
  EXPECT_EQ(LabelQuery("io.tidewaiter.run", "r"), "labelSelector=io.tidewaiter.run%3Dr");
  EXPECT_EQ(LabelQuery("a", "b,c=d&e"), "labelSelector=a%3Db%2Cc%3Dd%26e");
}

TEST(LabelsTest, NameIsTheRuns) {
  EXPECT_EQ(ObjectName(kRunId), kName);
}

// Multus reads the one, and the other is a selector of somebody's policy.
TEST(Labels, APodHasTheBrokersOwnAlone) {
  policy::EffectiveRun run;
  run.labels = {{"k8s.v1.cni.cncf.io/networks", "ns/net"}, {"allow-egress", "yes"}};
  const ObjectLabels own = BrokersOwn(LabelsOf(kBrokerId, kRunId, "val idator", run));
  EXPECT_THAT(own.labels, ElementsAre(Pair("io.tidewaiter.broker", kBrokerId.value()),
                                      Pair("io.tidewaiter.principal", LabelValue("val idator")),
                                      Pair("io.tidewaiter.run", kRunId.value())));
  EXPECT_THAT(own.annotations, ElementsAre(Pair("io.tidewaiter.principal", "val idator")));
}

}  // namespace
}  // namespace tidewaiter::kubernetes
