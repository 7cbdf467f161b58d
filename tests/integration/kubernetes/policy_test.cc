// What the policy and a cluster leave a run, by the real daemon: every violation at once, each with
// its rule, and nothing made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/kubernetes_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class KubernetesPolicy : public KubernetesWorld {
 protected:
  v1::ExplainResponse Explain(const v1::RunSpec& spec) {
    grpc::ClientContext context;
    v1::ExplainRequest request;
    *request.mutable_spec() = spec;
    v1::ExplainResponse response;
    const grpc::Status status = client_->broker().Explain(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // "rule field" of each.
  template <typename Answer>
  static std::vector<std::string> Rules(const Answer& answer) {
    std::vector<std::string> rules;
    for (const v1::Violation& violation : answer.violations()) {
      EXPECT_FALSE(violation.message().empty());
      EXPECT_FALSE(violation.remedy().empty());
      rules.push_back(violation.rule() + " " + violation.field());
    }
    return rules;
  }
};

// A policy that admits on the engine what no pod has.
constexpr const char* kGenerous = R"(
[capabilities]
allow = ["CHOWN", "NET_BIND_SERVICE"]
[mounts]
allow = ["/usr/share"]
[runtimes]
allow = ["runsc"]
[seccomp]
allow = ["strict"]
[user]
allow_root = true
)";

TEST_F(KubernetesPolicy, EveryFieldThatNoPodHasIsToldAtOnceAndNothingIsMade) {
  Begin({.policy = kGenerous, .carries_files = false});
  v1::RunSpec spec = Shell("true");
  v1::Mount* bind = spec.add_mounts();
  bind->set_target("/share");
  bind->set_read_only(true);
  bind->mutable_bind()->set_source("/usr/share");
  spec.add_mounts()->set_target("/in");
  spec.mutable_mounts(1)->mutable_input()->set_name("in");
  spec.mutable_network()->set_mode(v1::Network::BRIDGE);
  spec.mutable_limits()->set_pids(64);
  spec.mutable_limits()->set_open_files(64);
  spec.add_add_capabilities("CHOWN");
  spec.set_runtime("runsc");
  spec.set_seccomp_profile("strict");
  spec.set_user("0");
  (*spec.mutable_env())["A B"] = "1";
  (*spec.mutable_labels())["app.kubernetes.io/name"] = "x";
  const auto all = UnorderedElementsAre(
      "backend.mount-kind mounts[0].bind", "backend.mount-kind mounts[1].input",
      "backend.network-mode network.mode", "backend.pids limits.pids",
      "backend.open-files limits.openFiles", "backend.capability addCapabilities",
      "backend.runtime runtime", "backend.seccomp-profile seccompProfile", "backend.user-root user",
      "backend.env-name env['A B']", "backend.label-name labels['app.kubernetes.io/name']");
  const v1::ExplainResponse explained = Explain(spec);
  EXPECT_FALSE(explained.admitted());
  EXPECT_THAT(Rules(explained), all);
  const Transcript transcript = Run(spec);
  EXPECT_THAT(Rules(transcript.Denied()), all) << transcript.status.error_message();
  EXPECT_THAT(RecordedEnds(), IsEmpty());
}

TEST_F(KubernetesPolicy, ProductionNeedsAClusterThatIsSaidToLimitProcessesAndNetworks) {
  Begin({.enforced = false});
  EXPECT_THAT(
      Rules(Explain(Shell("true"))),
      UnorderedElementsAre("backend.pids limits.pids", "backend.network-mode network.mode"));
}

TEST_F(KubernetesPolicy, ExplainSaysWhatIsLeftToOthers) {
  Begin();
  const v1::ExplainResponse explained = Explain(Shell("true"));
  EXPECT_TRUE(explained.admitted());
  EXPECT_EQ(explained.effective().backend(), "kubernetes");
  std::vector<std::string> fields;
  for (const v1::Enforcement& one : explained.enforcement()) fields.push_back(one.field());
  EXPECT_THAT(fields, ::testing::IsSupersetOf({"limits.pids", "limits.openFiles", "network.mode"}));
}

TEST_F(KubernetesPolicy, ThePolicysBackendIsThatOfASpecThatNamesNone) {
  Begin();
  v1::RunSpec spec = Shell("true");
  spec.clear_backend();
  EXPECT_EQ(Explain(spec).effective().backend(), "kubernetes");
  spec.set_backend("docker");
  EXPECT_EQ(Explain(spec).effective().backend(), "docker");
}

}  // namespace
}  // namespace tidewaiter::testing
