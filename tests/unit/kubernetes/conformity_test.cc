#include "broker/kubernetes/conformity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cluster_recordings.h"
#include "tests/unit/kubernetes/run_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using ::testing::HasSubstr;

const std::string kTemplate = "/spec/template/spec";

Json Asked() {
  return Json::parse(kAskedJob);
}

Json AskedPod() {
  return At(Asked(), {"spec", "template"});
}

TEST(ConformityTest, WhatTheServerMakesOfTheJobConforms) {
  const auto conforms = CheckJob(Asked(), Json::parse(kJobAnswer));
  EXPECT_TRUE(conforms.has_value()) << conforms.error().message;
}

TEST(ConformityTest, WhatTheServerMakesOfItsPodConforms) {
  const auto conforms = CheckPod(AskedPod(), Json::parse(kPodAnswer));
  EXPECT_TRUE(conforms.has_value()) << conforms.error().message;
}

TEST(ConformityTest, AnswerThatIsNoJobDiffers) {
  for (const Json& answer :
       {Json(), Json::object(), Json::array(), Json("x"), Json{{"spec", 3}, {"metadata", "x"}}}) {
    EXPECT_FALSE(CheckJob(Asked(), answer).has_value());
    EXPECT_FALSE(CheckPod(AskedPod(), answer).has_value());
  }
}

TEST(ConformityTest, RunOfNothingButAnImageConforms) {
  policy::RunSpec spec;
  spec.image = FullSpec().image;
  const Json body = BodyOf(spec);
  EXPECT_TRUE(CheckJob(body, body).has_value());
}

struct Change {
  const char* name;
  const char* where;  // JSON pointer into the pod's spec
  const char* value;  // JSON text; "": the member is removed
  const char* field;  // what must be named
};

void Apply(const Change& change, const std::string& spec, Json& object) {
  const Json::json_pointer where(spec + change.where);
  if (*change.value != '\0') {
    object[where] = Json::parse(change.value);
  } else {
    object.at(where.parent_pointer()).erase(where.back());
  }
}

class WebhookChanges : public ::testing::TestWithParam<Change> {};

TEST_P(WebhookChanges, TheJobIsNamed) {
  Json job = Json::parse(kJobAnswer);
  Apply(GetParam(), kTemplate, job);
  const Result<void> result = CheckJob(Asked(), job);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().Reason(), "ENGINE_DIFFERS");
  EXPECT_THAT(result.error().message, HasSubstr(GetParam().field));
}

TEST_P(WebhookChanges, ThePodIsNamed) {
  Json pod = Json::parse(kPodAnswer);
  Apply(GetParam(), "/spec", pod);
  const Result<void> result = CheckPod(AskedPod(), pod);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().Reason(), "ENGINE_DIFFERS");
  EXPECT_THAT(result.error().message, HasSubstr(GetParam().field));
}

INSTANTIATE_TEST_SUITE_P(
    OfThePod, WebhookChanges,
    ::testing::Values(
        Change{"Sidecar", "/containers/1", R"({"name":"proxy","image":"x"})", "containers'"},
        Change{"NoContainer", "/containers", "[]", "containers'"},
        Change{"InitContainer", "/initContainers", R"([{"name":"i","image":"x"}])",
               "initContainers"},
        Change{"EphemeralContainer", "/ephemeralContainers", R"([{"name":"i"}])",
               "ephemeralContainers"},
        Change{"HostNetwork", "/hostNetwork", "true", "hostNetwork"},
        Change{"HostPids", "/hostPID", "true", "hostPID"},
        Change{"HostIpc", "/hostIPC", "true", "hostIPC"},
        Change{"HostUsers", "/hostUsers", "true", "hostUsers"},
        Change{"SharedPids", "/shareProcessNamespace", "true", "shareProcessNamespace"},
        Change{"HostNames", "/hostAliases", R"([{"ip":"1.2.3.4"}])", "hostAliases"},
        Change{"Device", "/resourceClaims", R"([{"name":"gpu"}])", "resourceClaims"},
        Change{"Token", "/automountServiceAccountToken", "true", "automountServiceAccountToken"},
        Change{"TokenByDefault", "/automountServiceAccountToken", "",
               "automountServiceAccountToken"},
        Change{"ServiceLinksByDefault", "/enableServiceLinks", "", "enableServiceLinks"},
        Change{"VolumeAdded", "/volumes/1", R"({"name":"h","hostPath":{"path":"/"}})", "volumes'"},
        Change{"VolumeOfTheHost", "/volumes/0/hostPath", R"({"path":"/"})", "volumes[0].hostPath"},
        Change{"VolumeOnDisk", "/volumes/0/emptyDir/medium", "\"\"", "emptyDir.medium"},
        Change{"VolumeOfAnySize", "/volumes/0/emptyDir/sizeLimit", "", "emptyDir.sizeLimit"},
        Change{"Restarts", "/restartPolicy", "\"OnFailure\"", "restartPolicy"},
        Change{"Resolver", "/dnsPolicy", "\"ClusterFirst\"", "dnsPolicy"},
        Change{"Nameserver", "/dnsConfig/nameservers/1", "\"10.0.0.1\"", "nameservers"},
        Change{"AnotherHostname", "/hostname", "\"x\"", "hostname"},
        Change{"LongGrace", "/terminationGracePeriodSeconds", "3600", "GracePeriodSeconds"},
        Change{"PodAsRoot", "/securityContext/runAsUser", "0", "securityContext.runAsUser"},
        Change{"PodMayBeRoot", "/securityContext/runAsNonRoot", "false", "runAsNonRoot"},
        Change{"PodUnconfined", "/securityContext/seccompProfile/type", "\"Unconfined\"",
               "seccompProfile.type"},
        Change{"PodGroups", "/securityContext/supplementalGroups", "[0]", "supplementalGroups"},
        Change{"Sysctl", "/securityContext/sysctls", R"([{"name":"net.x","value":"1"}])",
               "sysctls"},
        Change{"PodSelinux", "/securityContext/seLinuxOptions", R"({"type":"spc_t"})",
               "seLinuxOptions"},
        Change{"PodApparmor", "/securityContext/appArmorProfile", R"({"type":"Unconfined"})",
               "appArmorProfile"}),
    [](const auto& change) { return std::string(change.param.name); });

INSTANTIATE_TEST_SUITE_P(
    OfTheContainer, WebhookChanges,
    ::testing::Values(
        Change{"Name", "/containers/0/name", "\"x\"", "containers[0].name"},
        Change{"Image", "/containers/0/image", "\"registry.example/lab/job:1.0.0\"",
               "containers[0].image"},
        Change{"Command", "/containers/0/command/0", "\"sh\"", "command[0]"},
        Change{"CommandLonger", "/containers/0/command/3", "\"x\"", "command"},
        Change{"NoCommand", "/containers/0/command", "", "command"},
        Change{"Arguments", "/containers/0/args", R"(["x"])", "args"},
        Change{"VariableAdded", "/containers/0/env/4", R"({"name":"LD_PRELOAD","value":"x"})",
               "env"},
        Change{"VariableChanged", "/containers/0/env/0/value", "\"2\"", "env[0].value"},
        Change{"VariableOfAnAmount", "/containers/0/env/0/value", "\"1000m\"", "env[0].value"},
        Change{"VariableFilled", "/containers/0/env/1/value", "\"x\"", "env[1].value"},
        Change{"VariableOfASecret", "/containers/0/env/1/valueFrom",
               R"({"secretKeyRef":{"name":"s","key":"k"}})", "env[1].valueFrom"},
        Change{"VariablesOfASecret", "/containers/0/envFrom", R"([{"secretRef":{"name":"s"}}])",
               "envFrom"},
        Change{"WorkingDir", "/containers/0/workingDir", "\"/\"", "workingDir"},
        Change{"Mount", "/containers/0/volumeMounts/1", R"({"name":"h","mountPath":"/h"})",
               "volumeMounts"},
        Change{"MountElsewhere", "/containers/0/volumeMounts/0/mountPath", "\"/x\"",
               "volumeMounts[0].mountPath"},
        Change{"MountShared", "/containers/0/volumeMounts/0/mountPropagation", "\"Bidirectional\"",
               "volumeMounts[0].mountPropagation"},
        Change{"BlockDevice", "/containers/0/volumeDevices", R"([{"name":"d"}])", "volumeDevices"},
        Change{"Port", "/containers/0/ports", R"([{"containerPort":80,"hostPort":80}])", "ports"},
        Change{"Lifecycle", "/containers/0/lifecycle", R"({"postStart":{"exec":{}}})", "lifecycle"},
        Change{"LivenessProbe", "/containers/0/livenessProbe", R"({"exec":{}})", "livenessProbe"},
        Change{"StartupProbe", "/containers/0/startupProbe", R"({"exec":{}})", "startupProbe"},
        Change{"ReadinessProbe", "/containers/0/readinessProbe", R"({"exec":{}})",
               "readinessProbe"},
        Change{"Memory", "/containers/0/resources/limits/memory", "\"65M\"",
               "resources.limits.memory"},
        Change{"NoMemoryLimit", "/containers/0/resources/limits/memory", "",
               "resources.limits.memory"},
        Change{"Cpu", "/containers/0/resources/limits/cpu", "\"2001m\"", "resources.limits.cpu"},
        Change{"Request", "/containers/0/resources/requests/cpu", "\"1\"",
               "resources.requests.cpu"},
        Change{"Gpu", "/containers/0/resources/limits/nvidia.com~1gpu", "\"1\"",
               "resources.limits.nvidia.com/gpu"},
        Change{"Privileged", "/containers/0/securityContext/privileged", "true", "privileged"},
        Change{"Escalation", "/containers/0/securityContext/allowPrivilegeEscalation", "true",
               "allowPrivilegeEscalation"},
        Change{"EscalationByDefault", "/containers/0/securityContext/allowPrivilegeEscalation", "",
               "allowPrivilegeEscalation"},
        Change{"CapabilityAdded", "/containers/0/securityContext/capabilities/add/1",
               "\"SYS_ADMIN\"", "capabilities.add"},
        Change{"CapabilitiesKept", "/containers/0/securityContext/capabilities/drop", "[]",
               "capabilities.drop"},
        Change{"WritableRoot", "/containers/0/securityContext/readOnlyRootFilesystem", "false",
               "readOnlyRootFilesystem"},
        Change{"AsRoot", "/containers/0/securityContext/runAsUser", "0", "runAsUser"},
        Change{"AsGroupOfRoot", "/containers/0/securityContext/runAsGroup", "0", "runAsGroup"},
        Change{"MayBeRoot", "/containers/0/securityContext/runAsNonRoot", "", "runAsNonRoot"},
        Change{"Unconfined", "/containers/0/securityContext/seccompProfile/type", "\"Unconfined\"",
               "seccompProfile.type"},
        Change{"UnmaskedProc", "/containers/0/securityContext/procMount", "\"Unmasked\"",
               "procMount"},
        Change{"Selinux", "/containers/0/securityContext/seLinuxOptions", R"({"user":"system_u"})",
               "seLinuxOptions"},
        Change{"Apparmor", "/containers/0/securityContext/appArmorProfile",
               R"({"type":"Unconfined"})", "appArmorProfile"},
        Change{"HostProcess", "/containers/0/securityContext/windowsOptions",
               R"({"hostProcess":true})", "windowsOptions"}),
    [](const auto& change) { return std::string(change.param.name); });

TEST(ConformityTest, CapabilityWhereNoneIsAskedForDiffers) {
  policy::RunSpec spec = FullSpec();
  spec.add_capabilities = {};
  const Json body = BodyOf(spec);
  Json job = body;
  job[Json::json_pointer(kTemplate + "/containers/0/securityContext/capabilities/add")] = {"KILL"};
  EXPECT_THAT(CheckJob(body, job).error().message, HasSubstr("capabilities.add"));
}

TEST(ConformityTest, JobThatWouldRunAgainDiffers) {
  for (const auto& [where, value] :
       std::map<std::string, int>{{"/spec/parallelism", 1},
                                  {"/spec/completions", 2},
                                  {"/spec/backoffLimit", 6},
                                  {"/spec/activeDeadlineSeconds", 9},
                                  {"/spec/ttlSecondsAfterFinished", 9}}) {
    Json job = Json::parse(kJobAnswer);
    job[Json::json_pointer(where)] = value;
    EXPECT_FALSE(CheckJob(Asked(), job).has_value()) << where;
  }
}

// Without its feature gate a server of 1.20 does not know the field.
TEST(ConformityTest, JobOfAServerThatRemovesNoneByItselfDoesNotDiffer) {
  Json job = Json::parse(kJobAnswer);
  ASSERT_EQ(job.at("spec").erase("ttlSecondsAfterFinished"), 1U);
  EXPECT_TRUE(CheckJob(Asked(), job).has_value());
  EXPECT_FALSE(CheckJob(Asked(), Json::object()).has_value());
}

TEST(ConformityTest, JobLabelledAsAnothersDiffers) {
  for (const char* where : {"/metadata/labels/io.tidewaiter.run", "/metadata/name",
                            "/spec/template/metadata/labels/io.tidewaiter.run",
                            "/metadata/annotations/io.tidewaiter.tenant.job"}) {
    Json job = Json::parse(kJobAnswer);
    job[Json::json_pointer(where)] = "x";
    EXPECT_FALSE(CheckJob(Asked(), job).has_value()) << where;
  }
}

TEST(ConformityTest, WhatClustersAddOfTheirOwnConforms) {
  Json pod = Json::parse(kPodAnswer);
  pod["metadata"]["annotations"]["cni.example/ip"] = "10.0.0.1";
  pod["spec"]["imagePullSecrets"] = {{{"name", "default-pull"}}};
  pod["spec"]["nodeSelector"] = {{"pool", "jobs"}};
  pod["spec"]["priorityClassName"] = "jobs";
  pod["spec"]["securityContext"]["fsGroup"] = 1000680000;
  pod["spec"]["securityContext"]["seLinuxOptions"] = {{"level", "s0:c26,c15"}};  // OpenShift
  pod["spec"]["tolerations"].push_back({{"operator", "Exists"}});
  pod["spec"]["containers"][0]["securityContext"]["procMount"] = "Default";
  pod["spec"]["containers"][0]["imagePullPolicy"] = "Always";  // AlwaysPullImages
  const auto conforms = CheckPod(AskedPod(), pod);
  EXPECT_TRUE(conforms.has_value()) << conforms.error().message;
}

TEST(ConformityTest, PodThatItsPolicyDoesNotSelectDiffers) {
  Json pod = Json::parse(kPodAnswer);
  pod["metadata"]["labels"].erase("io.tidewaiter.run");
  EXPECT_FALSE(CheckPod(AskedPod(), pod).has_value());
}

}  // namespace
}  // namespace tidewaiter::kubernetes
