#include "tests/support/fault_world.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "tests/support/cluster_access.h"
#include "tests/support/cluster_exec.h"

namespace tidewaiter::testing {
namespace {

using nlohmann::json;

// Far beyond the sum of all budgets: what takes longer hangs.
constexpr std::chrono::seconds kAnswerWithin(40);
constexpr std::chrono::seconds kSettledWithin(40);

constexpr const char* kSettings =
    "stop_grace = \"100ms\"\ndrain_timeout = \"100ms\"\nteardown_timeout = \"1s\"\n"
    "prepare_timeout = \"5s\"\noutput_stall = \"500ms\"\ninput_stall = \"1s\"\n"
    "reap_retry_min = \"100ms\"\nreap_retry_max = \"200ms\"\nmin_free_bytes = \"1MiB\"\n";
constexpr const char* kDockerSettings =
    "call_timeout = \"1s\"\ncreate_timeout = \"1s\"\nattach_timeout = \"1s\"\n"
    "start_timeout = \"1s\"\ncheck_timeout = \"1s\"\nping_interval = \"1s\"\n"
    "pull_silence = \"1s\"\nevent_retry_max = \"100ms\"\nevent_loss_limit = \"2s\"\n"
    "settle_time = \"1s\"\n";
constexpr const char* kClusterSettings =
    "carrier_image = "
    "\"127.0.0.1:5000/lab/carrier@sha256:"
    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\"\n"
    "call_timeout = \"1s\"\nschedule_timeout = \"1s\"\npull_failure_timeout = \"1s\"\n"
    "watch_retry_max = \"100ms\"\nwatch_loss_limit = \"2s\"\nsettle_time = \"1s\"\n";
// A real engine on a busy machine takes its time.
constexpr const char* kLabDockerSettings =
    "event_retry_max = \"100ms\"\nsettle_time = \"1s\"\ncreate_timeout = \"20s\"\n";

// Whether it is the stand-in's, which the broker has packed anew.
bool IsStandInOutput(const std::string& bytes, const std::string& name) {
  constexpr std::size_t kHeader = 512;
  const std::string whole = StandInOutput(name);
  return bytes.size() == whole.size() && bytes.starts_with(whole.c_str()) &&
         bytes.substr(kHeader) == whole.substr(kHeader);
}

}  // namespace

FaultWorld::FaultWorld(const std::string& settings)
    : image_(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest),
      jobs_{.exits_with_7 = {"exit", "7"},
            .runs_for_ever = {"wait", "for ever"},
            .missing_program = {"missing", "program"}} {
  stand_in_ = std::make_unique<StandInEngine>(folder_ / "stand-in.sock");
  PlantForeign();
  engine_socket_ = folder_ / "stand-in.sock";
  auto faulty = std::make_unique<FaultyEngine>(folder_ / "engine.sock", engine_socket_);
  const std::string socket = faulty->address();
  Begin(std::move(faulty), {.docker_socket = socket,
                            .policy = BrokerProcess::StandInPolicy(),
                            .settings = kSettings + settings,
                            .docker_settings = kDockerSettings});
}

FaultWorld::FaultWorld(const Lab& lab, const std::string& settings)
    : image_(lab.image),
      jobs_{.exits_with_7 = {"sh", "-c", "echo out; exit 7"},
            .runs_for_ever = {"sleep", "600"},
            .missing_program = {"/no/such/program"}} {
  engine_socket_ = lab.docker_socket;
  auto faulty = std::make_unique<FaultyEngine>(folder_ / "engine.sock", engine_socket_);
  const std::string socket = faulty->address();
  Begin(std::move(faulty), {.docker_socket = socket,
                            .settings = "stop_grace = \"100ms\"\ndrain_timeout = \"100ms\"\n"
                                        "reap_retry_min = \"100ms\"\nreap_retry_max = \"200ms\"\n" +
                                        settings,
                            .docker_settings = kLabDockerSettings});
}

FaultWorld::FaultWorld(const OnCluster& on, const std::string& settings)
    : image_(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest),
      jobs_{.exits_with_7 = {"exit", "7"},
            .runs_for_ever = {"say", "something"},
            .missing_program = {"missing", "program"}} {
  stand_in_ = std::make_unique<StandInEngine>(folder_ / "stand-in.sock");
  cluster_ = std::make_unique<StandInCluster>(on.pace);
  PlantForeignInCluster();
  auto faulty = std::make_unique<FaultyEngine>(StandInServer::kLoopback, cluster_->address(),
                                               ClusterDialect());
  const std::string table = ClusterTable(folder_, faulty->address()) + kClusterSettings;
  Begin(std::move(faulty), {.docker_socket = folder_ / "stand-in.sock",
                            .policy = BrokerProcess::StandInClusterPolicy(),
                            .settings = kSettings + settings,
                            .tables = table});
}

void FaultWorld::Begin(std::unique_ptr<FaultyEngine> faulty, BrokerProcess::Options options) {
  faulty_ = std::move(faulty);
  faulty_->SetKill([this] {
    killed_ = true;
    if (const pid_t pid = pid_; pid > 0) ::kill(pid, SIGKILL);
  });
  broker_ = std::make_unique<BrokerProcess>(std::move(options));
  pid_ = broker_->pid();
}

// What a careless removal would take along: the broker's own prefix without its labels, another
// broker's labels, a stranger's.
void FaultWorld::PlantForeign() {
  const std::string run(26, 'b');
  const json other{{"io.tidewaiter.broker", std::string(26, 'c')}, {"io.tidewaiter.run", run}};
  stand_in_->PlantContainer("tw-" + run, json::object());
  stand_in_->PlantContainer("tw-" + std::string(26, 'd'), other);
  stand_in_->PlantContainer("database", json{{"com.example", "1"}});
  stand_in_->PlantNetwork("tw-" + run, json::object());
  stand_in_->PlantNetwork("tw-" + std::string(26, 'd'), other);
  foreign_ = Holdings();
}

void FaultWorld::PlantForeignInCluster() {
  const std::string run(26, 'b');
  const json other{{"io.tidewaiter.broker", std::string(26, 'c')}, {"io.tidewaiter.run", run}};
  for (const char* plural : {"jobs", "pods", "secrets", "networkpolicies"}) {
    cluster_->Plant(plural, "tw-" + run, json::object());
    cluster_->Plant(plural, "tw-" + std::string(26, 'd'), other);
    cluster_->Plant(plural, "database", json{{"com.example", "1"}});
  }
  foreign_ = Holdings();
}

std::vector<json> FaultWorld::Holdings() const {
  return cluster_ ? cluster_->Holdings() : stand_in_->Holdings();
}

v1::RunSpec FaultWorld::Spec(const std::vector<std::string>& command) const {
  v1::RunSpec spec;
  spec.set_image(image_);
  for (const std::string& word : command) spec.add_command(word);
  spec.mutable_limits()->set_memory_bytes(64 << 20);
  spec.mutable_limits()->mutable_timeout()->set_seconds(10);
  return spec;
}

Transcript FaultWorld::Run(const v1::RunSpec& spec, const GateClient::OnEvent& on_event) {
  GateClient client(broker_->socket_path());
  return client.Run(spec, on_event, false, kAnswerWithin);
}

Transcript FaultWorld::Run(const v1::StartRun& start, const GateClient::OnEvent& on_event) {
  GateClient client(broker_->socket_path());
  return client.Run(start, on_event, kAnswerWithin);
}

Transcript FaultWorld::BeginDetached(const v1::RunSpec& spec) {
  GateClient client(broker_->socket_path());
  Transcript transcript;
  grpc::ClientContext starting;
  starting.set_deadline(std::chrono::system_clock::now() + kAnswerWithin);
  v1::StartRequest start;
  *start.mutable_spec() = spec;
  v1::StartResponse started;
  transcript.status = client.broker().Start(&starting, start, &started);
  if (transcript.status.ok()) {
    transcript.events.emplace_back().mutable_admitted()->set_run_id(started.run_id());
  }
  return transcript;
}

Transcript FaultWorld::StartDetached(const v1::RunSpec& spec) {
  Transcript transcript = BeginDetached(spec);
  if (!transcript.status.ok()) return transcript;
  GateClient client(broker_->socket_path());
  grpc::ClientContext watching;
  watching.set_deadline(std::chrono::system_clock::now() + kAnswerWithin);
  v1::AttachRequest attach;
  attach.set_run_id(transcript.RunId());
  const auto stream = client.broker().Attach(&watching, attach);
  v1::RunEvent event;
  while (stream->Read(&event) && !event.has_started()) {
  }
  watching.TryCancel();
  return transcript;
}

void FaultWorld::CancelDetached(const Transcript& transcript) {
  if (!transcript.status.ok()) return;
  GateClient client(broker_->socket_path());
  grpc::ClientContext cancelling;
  cancelling.set_deadline(std::chrono::system_clock::now() + kAnswerWithin);
  v1::CancelRequest request;
  request.set_run_id(transcript.RunId());
  v1::CancelResponse cancelled;
  client.broker().Cancel(&cancelling, request, &cancelled);
}

void FaultWorld::WaitDetached(Transcript& transcript) {
  if (!transcript.status.ok()) return;
  GateClient client(broker_->socket_path());
  grpc::ClientContext waiting;
  waiting.set_deadline(std::chrono::system_clock::now() + kAnswerWithin);
  v1::WaitRequest request;
  request.set_run_id(transcript.RunId());
  v1::WaitResponse ended;
  transcript.status = client.broker().Wait(&waiting, request, &ended);
  if (!transcript.status.ok()) return;
  *transcript.events.emplace_back().mutable_result() = ended.result();
  *transcript.events.emplace_back().mutable_receipt() = ended.receipt();
}

void FaultWorld::FetchDetached(Transcript& transcript, const std::string& output) {
  if (!transcript.Has(v1::RunEvent::kResult)) return;
  GateClient client(broker_->socket_path());
  grpc::ClientContext fetching;
  fetching.set_deadline(std::chrono::system_clock::now() + kAnswerWithin);
  v1::FetchRequest request;
  request.set_run_id(transcript.RunId());
  request.set_output(output);
  const auto stream = client.broker().Fetch(&fetching, request);
  v1::FetchResponse response;
  while (stream->Read(&response)) {
    v1::OutputPiece& piece = *transcript.events.emplace_back().mutable_output_piece();
    piece.set_name(output);
    piece.set_data(response.data());
    if (response.has_end()) *piece.mutable_end() = response.end();
  }
  const grpc::Status status = stream->Finish();
  if (status.ok()) return;
  v1::OutputPiece& piece = *transcript.events.emplace_back().mutable_output_piece();
  piece.set_name(output);
  const bool broken_off = killed_ && ErrorInfoOf(status).reason().empty();
  piece.mutable_end()->set_error(broken_off ? "the broker is gone" : ErrorInfoOf(status).reason());
}

Transcript FaultWorld::RunDetached(const v1::RunSpec& spec) {
  Transcript transcript = StartDetached(spec);
  WaitDetached(transcript);
  return transcript;
}

void FaultWorld::ReplaceBroker(const std::function<void()>& meanwhile) {
  if (killed_) return;  // Revive's
  broker_->Kill();
  if (meanwhile) meanwhile();
  broker_->Restart();
  pid_ = broker_->pid();
}

std::string FaultWorld::StopBroker() {
  stopped_ = true;
  const int status = broker_->Stop(kAnswerWithin);
  if (status == 0 || (killed_ && status == 128 + SIGKILL)) return "";
  return "the broker's exit status after SIGTERM is " + std::to_string(status);
}

void FaultWorld::Revive() {
  Eventually(kAnswerWithin, [&] { return !faulty_->Killing(); });
  if (killed_) broker_->Kill();
  if (!broker_->Running()) broker_->Restart();
  pid_ = broker_->pid();
  killed_ = false;
  stopped_ = false;
}

std::vector<std::string> FaultWorld::CheckAnswer(const ClientAnswer& answer, bool receipts_hold) {
  std::vector<std::string> wrong;
  const Transcript& seen = answer.transcript;
  const grpc::Status& status = seen.status;
  if (status.error_code() == grpc::DEADLINE_EXCEEDED) {
    wrong.emplace_back("the client has no answer: " + status.error_message());
  }
  if (status.ok() && !seen.Has(v1::RunEvent::kResult)) {
    wrong.emplace_back("OK without a result");
  }
  // Only a broker that was killed may break off without saying why.
  if (!status.ok() && !answer.hung_up && !killed_ && !stopped_ && seen.Reason().empty()) {
    wrong.emplace_back("an error without a reason: " + status.error_message());
  }
  const v1::RunResult result = seen.Result();
  const bool not_found = !stand_in_ && result.exit_code() == 127;  // said by the init process
  if (result.outcome() == v1::RunResult::EXITED && result.exit_code() != 7 && !not_found) {
    wrong.push_back("no job ends by itself with " + std::to_string(result.exit_code()));
  }
  for (std::string& more : WrongOutputs(answer)) wrong.push_back(std::move(more));
  if (receipts_hold && seen.Receipt().complete()) {
    for (const std::string& left : Leftovers()) {
      if (left.find(seen.RunId()) != std::string::npos) {
        wrong.emplace_back("the receipt denies that there is " + left);
      }
    }
  }
  return wrong;
}

// An output is whole, or said not to be, and why.
std::vector<std::string> FaultWorld::WrongOutputs(const ClientAnswer& answer) const {
  std::vector<std::string> wrong;
  const bool exited = answer.transcript.Result().outcome() == v1::RunResult::EXITED;
  for (const std::string& name : answer.outputs) {
    std::string bytes;
    bool ended = false;
    for (const v1::RunEvent& event : answer.transcript.events) {
      if (!event.has_output_piece() || event.output_piece().name() != name) continue;
      const v1::OutputPiece& piece = event.output_piece();
      bytes += piece.data();
      if (!piece.has_end()) continue;
      ended = true;
      if (piece.end().error().empty() && !IsStandInOutput(bytes, name)) {
        wrong.push_back("output " + name + " is not what the job has written: " +
                        std::to_string(bytes.size()) + " bytes, " + piece.end().ShortDebugString());
      }
    }
    if (exited && !ended) wrong.push_back("nothing is said of output " + name);
  }
  return wrong;
}

std::vector<std::string> FaultWorld::Leftovers() const {
  const std::string broker_id = broker_->broker_id();
  if (!stand_in_) return LabelledLeftovers(engine_socket_, broker_id);
  std::vector<std::string> left;
  for (const json& held : Holdings()) {
    if (held["Labels"].value("io.tidewaiter.broker", "") == broker_id) {
      left.push_back(held["Kind"].get<std::string>() + " " + held["Name"].get<std::string>());
    }
  }
  return left;
}

std::vector<std::string> FaultWorld::RunDirectories() const {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(broker_->runs_folder(), ignored)) {
    names.push_back("run directory " + entry.path().filename().string());
  }
  return names;
}

void FaultWorld::ReadAudit() {
  std::ifstream file(broker_->audit_file(), std::ios::binary);
  file.seekg(static_cast<std::streamoff>(audit_read_));
  std::string line;
  while (std::getline(file, line) && !file.eof()) {  // the last one may not be whole yet
    audit_read_ += line.size() + 1;
    const json record = json::parse(line, nullptr, false);
    if (record.is_discarded()) {
      records_["of the line '" + line + "'"].outcomes.emplace_back("no JSON");
      continue;
    }
    const std::string type = record.value("type", "");
    Records& records = records_[record.value("run_id", "")];
    if (type == "run.admitted") ++records.admitted;
    if (type == "run.finished") records.outcomes.push_back(record["outcome"]["kind"]);
  }
}

std::vector<std::string> FaultWorld::WrongRecords() const {
  std::vector<std::string> wrong;
  for (const auto& [run_id, records] : records_) {
    if (records.outcomes.size() == records.admitted && records.admitted <= 1) continue;
    wrong.push_back("run " + run_id + " was admitted " + std::to_string(records.admitted) +
                    " times and finished " + std::to_string(records.outcomes.size()) + " times:");
    std::ifstream file(broker_->audit_file(), std::ios::binary);
    for (std::string line; std::getline(file, line);) {
      if (line.find(run_id) != std::string::npos) wrong.back() += "\n" + line;
    }
  }
  return wrong;
}

std::vector<std::string> FaultWorld::TouchedForeign() const {
  std::vector<std::string> wrong;
  if (!stand_in_) return wrong;
  const std::vector<json> holdings = Holdings();
  for (const json& foreign : foreign_) {
    if (std::find(holdings.begin(), holdings.end(), foreign) == holdings.end()) {
      wrong.push_back("foreign and touched: " + foreign.dump());
    }
  }
  if (stand_in_->SecondStarts() != 0) wrong.emplace_back("a container was started twice");
  if (cluster_ && cluster_->SecondPods() != 0) wrong.emplace_back("a Job had two pods");
  return wrong;
}

std::vector<std::string> FaultWorld::Settle() {
  Eventually(kSettledWithin, [&] {
    ReadAudit();
    return !faulty_->Owes() && Leftovers().empty() && RunDirectories().empty() &&
           WrongRecords().empty() && faulty_->Followed();
  });
  std::vector<std::string> wrong = Leftovers();
  for (auto& more : {RunDirectories(), WrongRecords(), TouchedForeign()}) {
    wrong.insert(wrong.end(), more.begin(), more.end());
  }
  if (!faulty_->Followed()) wrong.emplace_back("what happens there is not followed");
  if (!broker_->Running()) wrong.emplace_back("the broker has ended");
  return wrong;
}

std::string FaultWorld::LogTail() const {
  const std::string log = broker_->Log();
  return log.size() < 3000 ? log : log.substr(log.size() - 3000);
}

}  // namespace tidewaiter::testing
