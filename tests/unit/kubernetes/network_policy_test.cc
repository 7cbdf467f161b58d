#include "broker/kubernetes/network_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/kubernetes/run_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using ::testing::HasSubstr;

Json Body() {
  return NetworkPolicyBody(kRunId, {.labels = {{"a", "1"}}, .annotations = {{"b", "2"}}});
}

// What GET answers (Kubernetes 1.20).
Json Answer() {
  Json read = Body();
  read["metadata"].update({{"namespace", "tidewaiter"}, {"uid", "u"}, {"resourceVersion", "7"}});
  return read;
}

TEST(NetworkPolicyTest, NothingGoesInAndNothingGoesOut) {
  EXPECT_EQ(Body(), Json::parse(R"({
    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
    "metadata": {"name": "tw-aaaaaaaaaaaaaaaaaaaaaaaaaa", "labels": {"a": "1"},
                 "annotations": {"b": "2"}},
    "spec": {"podSelector": {"matchLabels": {"io.tidewaiter.run": "aaaaaaaaaaaaaaaaaaaaaaaaaa"}},
             "policyTypes": ["Ingress", "Egress"]}})"));
}

// Otherwise it would deny nothing to the pod.
TEST(NetworkPolicyTest, SelectsThePodOfItsRun) {
  const Json labels = At(BodyOf(FullSpec()), {"spec", "template", "metadata", "labels"});
  const Json selected = At(Body(), {"spec", "podSelector", "matchLabels"});
  for (const auto& [name, value] : selected.items()) {
    EXPECT_EQ(At(labels, {name}), value);
  }
}

TEST(NetworkPolicyTest, WhatWasAskedForConforms) {
  Json read = Answer();
  EXPECT_TRUE(CheckNetworkPolicy(Body(), read).has_value());
  read["spec"]["ingress"] = Json::array();
  read["spec"]["egress"] = nullptr;
  EXPECT_TRUE(CheckNetworkPolicy(Body(), read).has_value());
}

struct Change {
  const char* name;
  const char* where;
  const char* value;
  const char* field;
};

class WebhookChangesPolicy : public ::testing::TestWithParam<Change> {};

TEST_P(WebhookChangesPolicy, IsNamed) {
  Json read = Answer();
  read[Json::json_pointer(GetParam().where)] = Json::parse(GetParam().value);
  const Result<void> result = CheckNetworkPolicy(Body(), read);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().Reason(), "ENGINE_DIFFERS");
  EXPECT_THAT(result.error().message, HasSubstr(std::string("'") + GetParam().field + "'"));
}

INSTANTIATE_TEST_SUITE_P(
    NetworkPolicyTest, WebhookChangesPolicy,
    ::testing::Values(
        Change{"AnotherPod", "/spec/podSelector/matchLabels/io.tidewaiter.run", "\"x\"",
               "spec.podSelector"},
        Change{"FewerPods", "/spec/podSelector/matchLabels/more", "\"x\"", "spec.podSelector"},
        Change{"Expression", "/spec/podSelector/matchExpressions",
               R"([{"key":"x","operator":"Exists"}])", "spec.podSelector"},
        Change{"IngressOnly", "/spec/policyTypes", R"(["Ingress"])", "spec.policyTypes"},
        Change{"NoTypes", "/spec/policyTypes", "null", "spec.policyTypes"},
        Change{"AllIn", "/spec/ingress", "[{}]", "spec.ingress"},
        Change{"AllOut", "/spec/egress", "[{}]", "spec.egress"},
        Change{"DnsOut", "/spec/egress", R"([{"ports":[{"port":53}]}])", "spec.egress"},
        Change{"RulesOfAnotherShape", "/spec/egress", "true", "spec.egress"},
        Change{"NoSpec", "/spec", "null", "spec.podSelector"}),
    [](const auto& change) { return std::string(change.param.name); });

TEST(NetworkPolicyTest, OwnerIsTheJobByUidAndHoldsItBack) {
  EXPECT_EQ(OwnerPatch({{"metadata", {{"name", "tw-x"}, {"uid", "u1"}}}}), Json::parse(R"({
    "metadata": {"ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "tw-x",
      "uid": "u1", "controller": false, "blockOwnerDeletion": true}]}})"));
}

}  // namespace
}  // namespace tidewaiter::kubernetes
