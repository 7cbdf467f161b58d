// `policy check` and `explain` of a run on this backend or that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "client/commands/offline_backends.h"
#include "client/commands/program.h"
#include "policy/evaluate.h"
#include "tests/support/scripted_broker.h"

namespace tidewaiter::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Answer {
  int status = 0;
  std::string out;
};

Answer Ask(std::vector<std::string> arguments) {
  ::testing::internal::CaptureStdout();
  const int status = RunProgram(std::move(arguments));
  return {status, ::testing::internal::GetCapturedStdout()};
}

class BackendChoice : public ::testing::Test {
 protected:
  BackendChoice() {
    std::string pattern = ::testing::TempDir() + "backendXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~BackendChoice() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string Write(const std::string& name, const std::string& content) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << content;
    return path;
  }
  [[nodiscard]] std::string Spec(const std::string& more = {}) const {
    return Write("spec.json", R"({"image":"reg.example/lab/app:1.0.0@sha256:)" +
                                  std::string(64, 'a') + '"' + more + '}');
  }
  [[nodiscard]] Answer Check(const std::string& spec, std::vector<std::string> more = {},
                             const std::string& keys = {}) const {
    const std::string policy =
        Write("policy.toml", keys +
                                 "version = 1\n[[images.allow]]\nrepository = \"reg.example/lab/*\""
                                 "\n[network]\nmodes = [\"none\", \"bridge\"]\n");
    std::vector<std::string> arguments{"policy", "check", "--policy", policy, spec};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Ask(arguments);
  }

  std::string folder_;
};

const std::string kBridge = R"(,"network":{"mode":"BRIDGE"})";
const std::string kDenied = R"("rule":"backend.network-mode","field":"network.mode")";

TEST_F(BackendChoice, PolicyCheckAsksDockerUnlessToldOtherwise) {
  EXPECT_EQ(Check(Spec(kBridge)).status, 0);
  const Answer flag = Check(Spec(kBridge), {"--backend", "kubernetes", "--json"});
  EXPECT_EQ(flag.status, 1);
  EXPECT_THAT(flag.out, AllOf(HasSubstr(kDenied), HasSubstr(R"("effective":null)")));
  const Answer key = Check(Spec(kBridge), {"--json"}, "backend = \"kubernetes\"\n");
  EXPECT_THAT(key.out, HasSubstr(kDenied));
  const Answer spec = Check(Spec(kBridge + R"(,"backend":"kubernetes")"), {"--json"});
  EXPECT_THAT(spec.out, HasSubstr(kDenied));
}

TEST_F(BackendChoice, TheSpecsWordGoesBeforeTheFlagsAndTheFlagsBeforeThePolicys) {
  const std::string key = "backend = \"kubernetes\"\n";
  EXPECT_EQ(Check(Spec(kBridge), {"--backend", "docker"}, key).status, 0);
  EXPECT_EQ(
      Check(Spec(kBridge + R"(,"backend":"docker")"), {"--backend", "kubernetes"}, key).status, 0);
}

TEST_F(BackendChoice, PolicyCheckSaysWhatTheClusterWouldEnforce) {
  const Answer json = Check(Spec(), {"--backend", "kubernetes", "--json"});
  EXPECT_EQ(json.status, 0);
  EXPECT_THAT(json.out, HasSubstr(R"("enforcement":[{"field":"limits.pids",)"
                                  R"("by":"the kubelets' podPidsLimit","value":"256","message":)"));
  EXPECT_THAT(json.out, HasSubstr(R"("backend":"kubernetes")"));
  const Answer text = Check(Spec(), {"--backend", "kubernetes"});
  EXPECT_THAT(text.out, HasSubstr("\n  limits.pids: 256, by the kubelets' podPidsLimit ("));
  EXPECT_THAT(text.out, HasSubstr("\n  mounts[0].tmpfs: not enforced (noexec"));
  EXPECT_THAT(Check(Spec(), {"--json"}).out, HasSubstr(R"("enforcement":[])"));
  EXPECT_THAT(Check(Spec(kBridge), {"--backend", "kubernetes", "--json"}).out,
              HasSubstr(R"("enforcement":[])"));
}

TEST_F(BackendChoice, PolicyCheckKnowsTheBackendsOfThisVersion) {
  EXPECT_THAT(Check(Spec(), {"--backend", "swarm", "--json"}).out,
              AllOf(HasSubstr(R"("rule":"backend.unknown")"),
                    HasSubstr(R"("remedy":"one of: docker, kubernetes")")));
  EXPECT_THAT(Check(Spec(), {"--backend", "../x", "--json"}).out,
              HasSubstr(R"("rule":"backend.invalid")"));
}

TEST_F(BackendChoice, WithAConfigurationItsClusterIsJudged) {
  const auto check = [&](const std::string& kubernetes) {
    const std::string config = Write("tidewaiter.toml", "version = 1\n" + kubernetes);
    return Check(Spec(), {"--backend", "kubernetes", "--config", config, "--json"});
  };
  EXPECT_THAT(check("").out, HasSubstr(R"("rule":"backend.unknown")"));
  EXPECT_THAT(check("[kubernetes]\n").out, AllOf(HasSubstr(R"("rule":"backend.pids")"),
                                                 HasSubstr(R"("rule":"backend.network-mode")")));
  const Answer stated =
      check("[kubernetes]\npod_pids_limit = 200\nnetwork_policy_enforced = true\n");
  EXPECT_EQ(stated.status, 0) << stated.out;
  EXPECT_THAT(stated.out, HasSubstr(R"("by":"the kubelets' podPidsLimit","value":"200")"));
  EXPECT_EQ(check("frob = 1\n").status, 2);
  EXPECT_EQ(Check(Spec(), {"--config", folder_ + "/none.toml"}).status, 2);
}

TEST_F(BackendChoice, WithAConfigurationItsBudgetForInputsIsJudged) {
  const std::string config =
      Write("tidewaiter.toml", "version = 1\n[kubernetes]\nmax_input_bytes = \"1MiB\"\n");
  const std::string spec = Spec(R"(,"backend":"kubernetes","limits":{"inputBytes":"1048577"},)"
                                R"("mounts":[{"target":"/in","input":{"name":"i"}}])");
  EXPECT_THAT(Check(spec, {"--config", config, "--json"}).out, HasSubstr("at most 1MiB"));
}

TEST_F(BackendChoice, OfOneBrokerIsWhatItsConfigurationHas) {
  policy::EffectiveRun run;
  run.backend = "kubernetes";
  run.limits.pids = run.default_pids = 256;
  const OfflineBackends without{std::optional<policy::KubernetesTarget>()};
  ASSERT_EQ(without.Unsupported(run).size(), 1U);
  EXPECT_EQ(without.Unsupported(run)[0].remedy, "one of: docker");
  EXPECT_TRUE(without.Notes(run).empty());

  run.image.digest = "sha256:aa";
  const OfflineBackends with{policy::KubernetesTarget{.network_policy_enforced = true}};
  ASSERT_EQ(with.Unsupported(run).size(), 1U);
  EXPECT_EQ(with.Unsupported(run)[0].rule, "backend.pids");
  EXPECT_TRUE(OfflineBackends().Unsupported(run).empty());
  run.backend.clear();
  EXPECT_TRUE(with.Unsupported(run).empty()) << "docker's";
  EXPECT_TRUE(with.Notes(run).empty()) << "docker's";
}

TEST_F(BackendChoice, ExplainAsksForTheBackendWhereTheSpecNamesNone) {
  testing::ScriptedBroker broker([](auto&) { return grpc::Status::OK; });
  v1::ExplainResponse answer;
  answer.set_admitted(true);
  answer.set_policy("default");
  answer.add_enforcement()->set_field("limits.pids");
  answer.mutable_enforcement(0)->set_message("no one\x1b[2J");
  broker.AnswerExplain(answer);
  const auto explain = [&](const std::string& spec, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"explain", "--socket", broker.socket_path(), spec};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Ask(arguments);
  };
  EXPECT_THAT(explain(Spec(), {}).out,
              AllOf(HasSubstr("\n  limits.pids: not enforced (no one"), Not(HasSubstr("\x1b[2J"))));
  EXPECT_EQ(broker.ExplainedBackend(), "");
  EXPECT_THAT(explain(Spec(), {"--backend", "kubernetes", "--json"}).out,
              HasSubstr(R"("enforcement":[{"field":"limits.pids","by":"")"));
  EXPECT_EQ(broker.ExplainedBackend(), "kubernetes");
  explain(Spec(R"(,"backend":"docker")"), {"--backend", "kubernetes"});
  EXPECT_EQ(broker.ExplainedBackend(), "docker");
}

}  // namespace
}  // namespace tidewaiter::cli
