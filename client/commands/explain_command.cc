#include <memory>
#include <string>
#include <vector>

#include "client/commands/call.h"
#include "client/commands/commands.h"
#include "client/commands/verdict.h"
#include "client/exit_status.h"

namespace tidewaiter::cli {
namespace {

struct Options {
  bool json = false;
  std::string policy;
  std::string backend;
  bool shadow = false;
};

class BrokerJudge : public Judge {
 public:
  BrokerJudge(client::Connection& connection, const Options& options)
      : connection_(connection), options_(options) {}

  Result<v1::ExplainResponse> Decide(const v1::RunSpec& spec) override {
    v1::ExplainRequest request;
    *request.mutable_spec() = spec;
    if (spec.backend().empty()) request.mutable_spec()->set_backend(options_.backend);
    request.set_policy(options_.policy);
    request.set_shadow(options_.shadow);
    return Call(connection_.broker(), &v1::Broker::Stub::Explain, request, "explain");
  }

 private:
  client::Connection& connection_;
  const Options& options_;
};

int Explain(const Invocation& invocation, const std::vector<std::string>& paths,
            const Options& options) {
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitNo);
  BrokerJudge judge(*connection, options);
  return JudgeFiles(paths, judge, options.json);
}

}  // namespace

void AddExplain(CLI::App& app, Invocation& invocation) {
  CLI::App& command = AddCommand(
      app, {.name = "explain",
            .summary = "What the broker would decide about spec files, without running them",
            .arguments = "SPEC.json...",
            .details = "A spec is the protobuf JSON of RunSpec; - reads it from stdin.\n"
                       "Exit status: 0 all admitted, 1 at least one denied, 2 usage.\n"
                       "JSON: spec, admitted, violations, effective, enforcement, policy,\n"
                       "policyHash.\n"
                       "Example: tidewaiter explain --json job.json"});
  auto options = std::make_shared<Options>();
  AddSocketOption(command, invocation);
  AddJsonFlag(command, options->json);
  command.add_option("--policy", options->policy, "Ask this policy instead (role operate)")
      ->type_name("NAME");
  command
      .add_option("--backend", options->backend,
                  "The backend of specs that name none (default: the policy's, else the broker's)")
      ->type_name("NAME");
  command.add_flag("--shadow", options->shadow,
                   "Ask the policy file that is tried beside the one in force (role operate)");
  command.callback([&command, &invocation, options] {
    const std::vector<std::string> paths = Positionals(command, invocation);
    if (paths.empty()) ThrowUsage("explain needs a SPEC.json");
    invocation.action = [&invocation, paths, options] {
      return Explain(invocation, paths, *options);
    };
  });
}

}  // namespace tidewaiter::cli
