#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/printable.h"
#include "broker/config/broker_config.h"
#include "client/commands/broker_user.h"
#include "client/commands/commands.h"
#include "client/commands/files.h"
#include "client/commands/offline_backends.h"
#include "client/commands/verdict.h"
#include "client/exit_status.h"
#include "policy/evaluate.h"
#include "policy/policy_set.h"
#include "policy/trusted_host_paths.h"
#include "wire/answers.h"
#include "wire/run_spec.h"

namespace tidewaiter::cli {
namespace {

struct Options {
  bool json = false;
  std::string file;
  std::string principal;
  std::string broker_user;
  std::string backend;
  std::string config;
};

// The same decision as the broker's, by the same code; of the backend only what needs no engine.
class PolicyJudge : public Judge {
 public:
  PolicyJudge(const policy::Policy& policy, uid_t broker, const std::string& backend,
              const OfflineBackends& backends)
      : policy_(policy), host_({}, broker), backend_(backend), backends_(backends) {}

  Result<v1::ExplainResponse> Decide(const v1::RunSpec& spec) override {
    TW_ASSIGN(policy::RunSpec asked, wire::FromProto(spec));
    if (asked.backend.empty()) asked.backend = backend_;
    const policy::Decision decision = policy::Evaluate(policy_, asked, host_);
    v1::ExplainResponse answer = wire::ToExplainResponse(decision, policy_);
    if (decision.admitted() == nullptr) return answer;
    const policy::EffectiveRun& effective = decision.admitted()->effective();
    for (const policy::Violation& violation : backends_.Unsupported(effective)) {
      answer.set_admitted(false);
      answer.clear_effective();
      *answer.add_violations() = wire::ToProto(violation);
    }
    if (answer.admitted()) wire::AddEnforcement(backends_.Notes(effective), answer);
    return answer;
  }

 private:
  const policy::Policy& policy_;
  policy::TrustedHostPaths host_;
  const std::string& backend_;
  const OfflineBackends backends_;
};

// Those of the broker that `file` configures; of any broker where there is no file.
Result<OfflineBackends> FindBackends(const std::string& file) {
  if (file.empty()) return OfflineBackends();
  TW_ASSIGN(const std::string content, ReadFile(file, config::kMaxFileBytes));
  TW_ASSIGN(const config::BrokerConfig config, config::ParseBrokerConfig(content, file));
  std::optional<policy::KubernetesTarget> kubernetes;
  if (config.kubernetes) kubernetes = config::ToTarget(*config.kubernetes);
  return OfflineBackends(kubernetes);
}

Result<const policy::Policy*> FindPolicy(const policy::PolicySet& set,
                                         const std::string& principal) {
  if (principal.empty()) return set.Find("default");
  const policy::Principal* found = set.FindPrincipal(principal);
  if (found != nullptr) return set.Find(found->policy);
  std::string known;
  for (const policy::Principal& each : set.principals()) known += ' ' + each.name;
  return Fail(ErrorCode::kNotFound, "find principal " + Quoted(principal) + ": the policy names" +
                                        (known.empty() ? " none" : known));
}

int Check(const std::vector<std::string>& paths, const Options& options) {
  const auto broker = FindBrokerUser(options.broker_user);
  if (!broker) return Complain(broker.error(), client::kExitUsage);
  const auto content = ReadFile(options.file, config::kMaxFileBytes);
  if (!content) return Complain(content.error(), client::kExitUsage);
  const auto set = policy::PolicySet::Parse(*content, options.file);
  if (!set) return Complain(set.error(), client::kExitUsage);
  const auto policy = FindPolicy(**set, options.principal);
  if (!policy) return Complain(policy.error(), client::kExitUsage);
  const auto backends = FindBackends(options.config);
  if (!backends) return Complain(backends.error(), client::kExitUsage);
  PolicyJudge judge(**policy, *broker, options.backend, *backends);
  return JudgeFiles(paths, judge, options.json);
}

void AddCheck(CLI::App& policy, Invocation& invocation) {
  CLI::App& command = AddCommand(
      policy, {.name = "check",
               .summary = "What a policy file would decide about spec files",
               .arguments = "SPEC.json...",
               .details = "A spec is the protobuf JSON of RunSpec; - reads it from stdin. Bind\n"
                          "sources are looked up on this host. No broker, engine or cluster is\n"
                          "asked: what only they know (docker's runtimes and seccomp profiles) is\n"
                          "told by `tidewaiter explain`. Without --config only that is told of\n"
                          "kubernetes which holds for every cluster.\n"
                          "Exit status: 0 all admitted, 1 at least one denied, 2 usage, or the\n"
                          "policy file or FILE has errors (file:line:column on stderr).\n"
                          "JSON: spec, admitted, violations, effective, enforcement, policy,\n"
                          "policyHash.\n"
                          "Example: tidewaiter policy check --policy policy.toml job.json"});
  auto options = std::make_shared<Options>();
  AddJsonFlag(command, options->json);
  command.add_option("--policy", options->file, "The policy file")->required()->type_name("FILE");
  command.add_option("--principal", options->principal, "Ask this principal's policy, not default")
      ->type_name("NAME");
  command
      .add_option("--backend", options->backend,
                  "The backend of specs that name none (default: the policy's, else docker)")
      ->type_name("NAME");
  command
      .add_option("--config", options->config,
                  "The broker's tidewaiter.toml: which backends it has, and what its\n"
                  "[kubernetes] states of the cluster")
      ->type_name("FILE");
  command
      .add_option("--broker-user", options->broker_user,
                  "As whom the broker runs: whose files it trusts besides root's\n"
                  "(default: tidewaiter where this host has that user, else yourself)")
      ->type_name("USER");
  command.callback([&command, &invocation, options] {
    const std::vector<std::string> paths = Positionals(command, invocation);
    if (paths.empty()) ThrowUsage("policy check needs a SPEC.json");
    invocation.action = [paths, options] { return Check(paths, *options); };
  });
}

}  // namespace

void AddPolicy(CLI::App& app, Invocation& invocation) {
  CLI::App& policy = AddCommand(
      app, {.name = "policy",
            .summary = "Questions to a policy file, without a broker; a reload",
            .arguments = "",
            .details = "Example: tidewaiter policy check --policy policy.toml job.json"});
  policy.require_subcommand(1);
  AddCheck(policy, invocation);
  AddPolicyReload(policy, invocation);
}

}  // namespace tidewaiter::cli
