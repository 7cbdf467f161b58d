#include "tests/support/kubernetes_world.h"

#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <utility>

#include "tests/support/eventually.h"
#include "tests/support/record_schema.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;

// The policy's default for limits.pids (docs/POLICY.md).
constexpr int kPids = 256;

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void WritePrivate(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), 0600);
}

// `key`: of a line "key: VALUE", the only one.
std::string ValueIn(const std::string& kubeconfig, const std::string& key) {
  std::smatch found;
  EXPECT_TRUE(std::regex_search(kubeconfig, found, std::regex(key + ": (\\S+)"))) << key;
  return found[1];
}

std::string WithValue(const std::string& kubeconfig, const std::string& key,
                      const std::string& value) {
  return std::regex_replace(kubeconfig, std::regex(key + ": \\S+"), key + ": " + value);
}

}  // namespace

void KubernetesWorld::SetUp() {
  TW_REQUIRE_LAB(lab);
  TW_REQUIRE_KUBERNETES(cluster);
  lab_ = lab;
  cluster_ = std::make_unique<KubernetesLab>(cluster);
  admin_ = std::make_unique<ClusterAdmin>(cluster);
  std::signal(SIGPIPE, SIG_IGN);
}

void KubernetesWorld::Begin(const Changes& changes) {
  client_.reset();
  broker_.reset();
  access_ = std::make_unique<ScratchFolder>();
  std::string kubeconfig = ReadFile(cluster_->kubeconfig);
  const fs::path authority =
      fs::path(cluster_->kubeconfig).parent_path() / ValueIn(kubeconfig, "certificate-authority");
  WritePrivate(*access_ / "ca.pem", ReadFile(authority));
  kubeconfig = WithValue(kubeconfig, "certificate-authority", "ca.pem");
  if (!changes.server.empty()) kubeconfig = WithValue(kubeconfig, "server", changes.server);
  if (!changes.token.empty()) kubeconfig = WithValue(kubeconfig, "token", changes.token);
  WritePrivate(*access_ / "kubeconfig", kubeconfig);

  const std::string name_space =
      changes.name_space.empty() ? cluster_->name_space : changes.name_space;
  std::string policy = BrokerProcess::LabPolicy(changes.policy);
  policy.insert(policy.find('\n') + 1, "backend = \"kubernetes\"\n");
  policy.insert(policy.find("\"none\""), "\"bridge\", ");
  std::string cluster = "[kubernetes]\nkubeconfig = \"" + (*access_ / "kubeconfig") +
                        "\"\nnamespace = \"" + name_space + "\"\n" + changes.cluster;
  if (changes.enforced) {
    cluster += "network_policy_enforced = true\npod_pids_limit = " + std::to_string(kPids) + "\n";
  }
  if (changes.carries_files) {
    cluster += "carrier_image = \"" +
               (changes.carrier.empty() ? cluster_->carrier : changes.carrier) + "\"\n";
  }
  broker_ = std::make_unique<BrokerProcess>(BrokerProcess::Options{
      .docker_socket = lab_.docker_socket,
      .policy = policy,
      .settings = "stop_grace = \"1s\"\ndrain_timeout = \"1s\"\nteardown_timeout = \"140s\"\n" +
                  changes.settings,
      .tables = cluster});
  Reconnect();
}

void KubernetesWorld::TearDown() {
  if (!broker_) return;
  ExpectNothingLeft();
  ExpectOneEndPerRun();
}

v1::RunSpec KubernetesWorld::Command(const std::vector<std::string>& words) const {
  v1::RunSpec spec;
  spec.set_image(lab_.image);
  for (const std::string& word : words) spec.add_command(word);
  spec.mutable_limits()->set_memory_bytes(32 << 20);
  spec.mutable_limits()->set_cpus(0.1);
  spec.set_backend("kubernetes");
  return spec;
}

std::vector<std::string> KubernetesWorld::RunWords(std::vector<std::string> options,
                                                   const std::vector<std::string>& command) const {
  options.insert(options.begin(), {"run", "-m", "32m", "--cpus", "0.1"});
  options.push_back(lab_.image);
  options.insert(options.end(), command.begin(), command.end());
  return options;
}

std::unique_ptr<Program> KubernetesWorld::Launch(std::vector<std::string> words) const {
  return std::make_unique<Program>(
      "tidewaiter", std::move(words),
      std::map<std::string, std::string>{{"TIDEWAITER_SOCKET", broker_->socket_path()}});
}

v1::StartResponse KubernetesWorld::Start(const v1::RunSpec& spec) {
  grpc::ClientContext context;
  v1::StartRequest request;
  *request.mutable_spec() = spec;
  v1::StartResponse response;
  const grpc::Status status = client_->broker().Start(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

v1::WaitResponse KubernetesWorld::Wait(const std::string& run_id) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kWithin);
  v1::WaitRequest request;
  request.set_run_id(run_id);
  v1::WaitResponse response;
  const grpc::Status status = client_->broker().Wait(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

Transcript KubernetesWorld::Attach(const std::string& run_id, bool snapshot) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kWithin);
  v1::AttachRequest request;
  request.set_run_id(run_id);
  request.set_snapshot(snapshot);
  const auto stream = client_->broker().Attach(&context, request);
  Transcript transcript;
  v1::RunEvent event;
  while (stream->Read(&event)) transcript.events.push_back(event);
  transcript.status = stream->Finish();
  return transcript;
}

void KubernetesWorld::AwaitOutput(const std::string& run_id, const std::string& text) {
  ASSERT_TRUE(Eventually(kWithin, [&] {
    return Attach(run_id, true).Stdout().find(text) != std::string::npos;
  })) << text;
}

void KubernetesWorld::CancelAtOutput(const v1::RunEvent& event, GateClient::Stream& stream,
                                     grpc::ClientContext& /*context*/) {
  if (!event.has_output()) return;
  v1::RunRequest cancel;
  cancel.mutable_cancel();
  stream.Write(cancel);
}

std::vector<std::string> KubernetesWorld::RemovedKinds(const v1::Receipt& receipt) {
  std::vector<std::string> kinds;
  for (const v1::Removal& removal : receipt.removals()) {
    EXPECT_TRUE(removal.confirmed_absent()) << removal.ShortDebugString();
    kinds.push_back(removal.kind());
  }
  EXPECT_TRUE(receipt.complete());
  return kinds;
}

std::map<std::string, std::vector<std::string>> KubernetesWorld::RecordedEnds() const {
  std::map<std::string, std::vector<std::string>> ends;
  for (const std::string& line : RecordsIn(broker_->audit_dir())) {
    const auto record = nlohmann::json::parse(line, nullptr, false);
    if (!record.is_object() || !record.contains("run_id")) continue;
    const std::string run_id = record["run_id"];
    if (record["type"] == "run.admitted") ends[run_id];
    if (record["type"] == "run.finished") ends[run_id].push_back(record["outcome"]["kind"]);
  }
  return ends;
}

std::string KubernetesWorld::RecordedOutcome() const {
  ExpectOneEndPerRun();
  const auto ends = RecordedEnds();
  if (ends.size() == 1 && ends.begin()->second.size() == 1) return ends.begin()->second.front();
  return ::testing::PrintToString(ends);
}

void KubernetesWorld::ExpectNothingLeft() const {
  EXPECT_TRUE(Eventually(kWithin, [&] {
    return fs::is_empty(broker_->runs_folder()) && Leftovers().empty();
  })) << ::testing::PrintToString(Leftovers());
}

void KubernetesWorld::ExpectOneEndPerRun() const {
  EXPECT_TRUE(Eventually([&] {
    const auto ends = RecordedEnds();
    return std::all_of(ends.begin(), ends.end(),
                       [](const auto& run) { return run.second.size() == 1; });
  })) << ::testing::PrintToString(RecordedEnds());
}

}  // namespace tidewaiter::testing
