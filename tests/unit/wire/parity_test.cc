// One spec, two backends: what each of them refuses of the specs that this repository shows, and of
// one for each field; and that docs/POLICY.md says of every field what becomes of it.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "policy/backends.h"
#include "policy/docker_mounts.h"
#include "policy/evaluate.h"
#include "policy/kubernetes_support.h"
#include "policy/policy_set.h"
#include "tests/support/project_file.h"
#include "wire/run_spec.h"
#include "wire/spec_json.h"

namespace tidewaiter::wire {
namespace {

using ::testing::ElementsAreArray;
using Names = std::vector<std::string>;

class TrustsAll final : public policy::HostPaths {
 public:
  [[nodiscard]] Result<void> CheckTrusted(const std::string&) const override { return Ok(); }
};

std::string Text(const std::string& path) {
  std::ifstream file(testing::ProjectFile(path), std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

const std::string kImage = "ghcr.io/team/job:1.2.3@sha256:" + std::string(64, 'a');

// Admits whatever the specs below ask for.
constexpr char kWide[] = R"(
version = 1
mode = "development"
[images]
tag = "any"
digest = "optional"
[[images.allow]]
repository = "ghcr.io/team/**"
[[images.allow]]
repository = "docker.io/library/*"
[mounts]
allow = ["/srv"]
writable = true
[network]
modes = ["none", "isolated", "bridge"]
[capabilities]
allow = ["CHOWN", "NET_BIND_SERVICE", "SYS_PTRACE"]
[user]
allow_root = true
[rootfs]
allow_writable = true
[runtimes]
allow = ["runsc"]
[seccomp]
allow = ["strict"]
)";

// The run as `policy` admits it; fails the test where it does not.
policy::EffectiveRun Admitted(const std::string& policy_toml, const std::string& json) {
  const auto set = policy::PolicySet::Parse(policy_toml, "policy.toml");
  const auto spec = ParseSpecJson(json);
  if (!set || !spec) {
    ADD_FAILURE() << (set ? spec.error().list.front().message : set.error().message);
    return {};
  }
  const policy::Decision decision =
      policy::Evaluate(*(*set)->Find("default"), *FromProto(*spec), TrustsAll());
  for (const policy::Violation& violation : decision.violations()) {
    ADD_FAILURE() << json << ": " << violation.rule << ' ' << violation.field;
  }
  return decision.admitted() != nullptr ? decision.admitted()->effective() : policy::EffectiveRun();
}

Names Refused(const std::vector<policy::Violation>& violations) {
  Names refused;
  for (const policy::Violation& violation : violations) {
    refused.push_back(violation.rule + ' ' + violation.field);
  }
  return refused;
}

// A cluster of an operator who has stated everything, with small budgets.
policy::KubernetesTarget Stated() {
  return {.pod_pids_limit = 200, .network_policy_enforced = true, .carries_files = true};
}

struct Answers {
  std::string spec;  // JSON
  Names docker;
  Names kubernetes;
};

void Expect(const std::string& policy_toml, const std::vector<Answers>& table) {
  for (const Answers& row : table) {
    SCOPED_TRACE(row.spec);
    const policy::EffectiveRun run = Admitted(policy_toml, row.spec);
    EXPECT_THAT(Refused(policy::DockerMountViolations(run)), ElementsAreArray(row.docker));
    EXPECT_THAT(Refused(policy::KubernetesViolations(run, Stated())),
                ElementsAreArray(row.kubernetes));
  }
}

// The specs that a policy can admit of those that the fuzz targets begin with.
TEST(Parity, OfTheSpecsOfThisRepository) {
  const auto seed = [](const std::string& name) {
    return Text("tests/fuzz/seeds/decision/" + name);
  };
  Expect(kWide, {{seed("least"), {}, {}},
                 {seed("prerelease"), {}, {}},
                 {seed("short-name"), {}, {"backend.image-digest image"}},
                 {seed("everything-asked-for"),
                  {"backend.mount-kind mounts[4].volume"},
                  {"backend.user-root user", "backend.pids limits.pids",
                   "backend.open-files limits.openFiles", "backend.network-mode network.mode",
                   "backend.mount-kind mounts[0].bind", "backend.mount-kind mounts[4].volume",
                   "backend.capability addCapabilities", "backend.capability addCapabilities",
                   "backend.runtime runtime", "backend.seccomp-profile seccompProfile"}}});
}

// Each of the ready-made policies: the least that a job of it asks for.
TEST(Parity, OfTheLeastSpecOfEachExamplePolicy) {
  const std::string digest = "@sha256:" + std::string(64, 'a');
  const auto least = [](const std::string& image) { return R"({"image": ")" + image + "\"}"; };
  for (const auto& [policy, image] : std::vector<std::pair<std::string, std::string>>{
           {"policy/examples/production.toml", "ghcr.io/platformnetwork/job:1.4.2" + digest},
           {"policy/examples/pss-restricted.toml", "ghcr.io/platformnetwork/job:1.4.2" + digest},
           {"policy/examples/gpu.toml", "ghcr.io/platformnetwork/gpu/job:1.4.2" + digest},
           {"policy/examples/development.toml", "127.0.0.1:5000/job:dev" + digest}}) {
    Expect(Text(policy), {{least(image), {}, {}}});
  }
  Expect(Text("policy/examples/development.toml"),
         {{least("127.0.0.1:5000/job:dev"), {}, {"backend.image-digest image"}}});
}

// A spec that says one thing besides its image.
std::string Saying(const std::string& members) {
  return "{\"image\": \"" + kImage + "\", " + members + "}";
}

TEST(Parity, OfEachField) {
  Expect(
      kWide,
      {
          {Saying(R"("command": ["sh", "-c", "true"])"), {}, {}},
          {Saying(R"("env": {"A": "1"})"), {}, {}},
          {Saying(R"("env": {"A B": "1"})"), {}, {"backend.env-name env['A B']"}},
          {Saying(R"("workingDir": "/srv")"), {}, {}},
          {Saying(R"("user": "1000")"), {}, {}},
          {Saying(R"("user": "0")"), {}, {"backend.user-root user"}},
          {Saying(R"("labels": {"a": "b c"})"), {}, {}},
          {Saying(R"("labels": {"a b": ""})"), {}, {"backend.label-name labels['a b']"}},
          {Saying(R"("limits": {"memoryBytes": "1073741824"})"), {}, {}},
          {Saying(R"("limits": {"cpus": 2})"), {}, {}},
          {Saying(R"("limits": {"pids": "256"})"), {}, {}},
          {Saying(R"("limits": {"pids": "64"})"), {}, {"backend.pids limits.pids"}},
          {Saying(R"("limits": {"timeout": "0.5s"})"), {}, {}},
          {Saying(R"("limits": {"tmpfsBytes": "4096"})"), {}, {}},
          {Saying(R"("limits": {"logBytes": "1"})"), {}, {}},
          {Saying(R"("limits": {"openFiles": "64"})"), {}, {"backend.open-files limits.openFiles"}},
          {Saying(R"("limits": {"inputBytes": "16777216"})"), {}, {}},
          {Saying(R"("limits": {"inputBytes": "16777216"},
                     "mounts": [{"target": "/in", "input": {"name": "i"}}])"),
           {},
           {"backend.input-bytes limits.inputBytes"}},
          {Saying(R"("limits": {"outputBytes": "1"})"), {}, {}},
          {Saying(R"("network": {"mode": "NONE"})"), {}, {}},
          {Saying(R"("network": {"mode": "ISOLATED"})"), {}, {"backend.network-mode network.mode"}},
          {Saying(R"("network": {"mode": "BRIDGE"})"), {}, {"backend.network-mode network.mode"}},
          {Saying(R"("mounts": [{"target": "/a", "tmpfs": {"sizeBytes": "4096"}},
                                {"target": "/b", "readOnly": true, "tmpfs": {}},
                                {"target": "/tmp", "tmpfs": {}}])"),
           {},
           {}},
          {Saying(R"("mounts": [{"target": "/a:b", "tmpfs": {}}])"),
           {},
           {"backend.mount-target mounts[0].target"}},
          {Saying(R"("mounts": [{"target": "/a", "bind": {"source": "/srv/x"}}])"),
           {},
           {"backend.mount-kind mounts[0].bind"}},
          {Saying(R"("mounts": [{"target": "/a", "volume": {"name": "v"}}])"),
           {"backend.mount-kind mounts[0].volume"},
           {"backend.mount-kind mounts[0].volume"}},
          {Saying(R"("mounts": [{"target": "/a", "input": {"name": "i"}},
                                {"target": "/b", "output": {"name": "o"}}])"),
           {},
           {}},
          {Saying(R"("addCapabilities": ["NET_BIND_SERVICE"])"), {}, {}},
          {Saying(R"("addCapabilities": ["CHOWN"])"), {}, {"backend.capability addCapabilities"}},
          {Saying(R"("readOnlyRootfs": false)"), {}, {}},
          {Saying(R"("runtime": "runsc")"), {}, {"backend.runtime runtime"}},
          {Saying(R"("seccompProfile": "strict")"), {}, {"backend.seccomp-profile seccompProfile"}},
          {Saying(R"("tenant": {"challenge": "a b", "job": "c", "task": "d"})"), {}, {}},
          {Saying(R"("backend": "kubernetes")"), {}, {}},
          {Saying(R"("idempotencyKey": "k")"), {}, {}},
      });
}

// "limits.memoryBytes", "mounts[].bind.source": every field that holds a value.
void AddFields(const google::protobuf::Descriptor& message, const std::string& prefix,
               std::set<std::string>& fields) {
  for (int i = 0; i < message.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *message.field(i);
    const std::string name = prefix + field.json_name();
    const bool duration = field.message_type() != nullptr &&
                          field.message_type()->full_name() == "google.protobuf.Duration";
    if (field.message_type() == nullptr || field.is_map() || duration) {
      fields.insert(name);
    } else {
      AddFields(*field.message_type(), name + (field.is_repeated() ? "[]." : "."), fields);
    }
  }
}

std::string Section(const std::string& heading) {
  const std::string page = Text("docs/POLICY.md");
  const std::size_t begin = page.find("\n## " + heading + "\n");
  EXPECT_NE(begin, std::string::npos) << heading;
  return page.substr(begin, page.find("\n## ", begin + 1) - begin);
}

// What stands between backquotes, as far as `pattern` matches the whole of it.
Names Quoted(const std::string& text, const std::string& pattern) {
  const std::regex quoted("`(" + pattern + ")`");
  Names found;
  for (std::sregex_iterator at(text.begin(), text.end(), quoted), end; at != end; ++at) {
    found.push_back((*at)[1]);
  }
  return found;
}

TEST(Parity, TheDocumentSaysOfEveryFieldOnceWhatBecomesOfIt) {
  std::istringstream lines(Section("What each backend enforces"));
  std::vector<std::string> told;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    for (const std::string& field : Quoted(line.substr(0, line.find(" | ")), "[^`]*")) {
      told.push_back(field);
    }
  }
  std::set<std::string> fields;
  AddFields(*v1::RunSpec::descriptor(), "", fields);
  EXPECT_THAT(told, ::testing::UnorderedElementsAreArray(fields));
}

TEST(Parity, TheDocumentHasEveryRuleOfABackendAndNoOther) {
  const std::set<std::string> rules(policy::kBackendRules.begin(), policy::kBackendRules.end());
  const Names listed = Quoted(Section("Rules outside the policy file"), "backend\\.[a-z-]*");
  // Those that are about the engine alone are in broker/docker.
  std::set<std::string> known = rules;
  known.insert({"backend.mount-owner", "backend.engine-data"});
  EXPECT_EQ(std::set<std::string>(listed.begin(), listed.end()), known);
  for (const std::string& rule :
       Quoted(Section("What each backend enforces"), "backend\\.[a-z-]*")) {
    EXPECT_TRUE(known.contains(rule)) << rule;
  }
}

}  // namespace
}  // namespace tidewaiter::wire
