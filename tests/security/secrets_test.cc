// The attack: somebody reads what the broker writes. Secrets are put wherever a request has room
// for them, and looked for in every file of the broker's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::chrono::seconds kPatience(60);
// In every secret, with the place where it was put behind it.
constexpr char kSecret[] = "S3CRET-";

std::string Url(const std::string& place) {
  return "https://bob:" + (kSecret + place) + "@host.example/x";
}

v1::RunSpec Spec() {
  v1::RunSpec spec;
  spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
  spec.add_command("exit");
  spec.add_command("0 " + (kSecret + std::string("argument")));  // of which the engine takes the 0
  return spec;
}

// Where a secret belongs, and where one is admitted that does not belong there.
v1::RunSpec Loaded() {
  v1::RunSpec spec = Spec();
  (*spec.mutable_env())["TOKEN"] = std::string(kSecret) + "value";
  (*spec.mutable_env())["DATABASE"] = Url("value-url");
  (*spec.mutable_labels())["team"] = std::string(kSecret) + "label";
  (*spec.mutable_labels())[Url("label-name")] = Url("label-url");
  spec.mutable_tenant()->set_challenge(Url("challenge"));
  spec.mutable_tenant()->set_job("bob:" + (kSecret + std::string("job")) + "@registry.example/x");
  spec.mutable_tenant()->set_task("get " + Url("task") + " twice");
  return spec;
}

// One text of the request each, as the policy refuses it.
std::vector<v1::RunSpec> Refused() {
  const auto set = [](const std::function<void(v1::RunSpec&)>& change) {
    v1::RunSpec spec = Spec();
    change(spec);
    return spec;
  };
  const std::string plain = "bob:" + (kSecret + std::string("image")) + "@registry.example/lab/x:1";
  return {
      set([&](auto& s) { s.set_image(plain); }),
      set([&](auto& s) { s.set_image(plain + "@" + StandInEngine::kDigest); }),
      set([&](auto& s) { s.set_image("bob:" + std::string(3000, 'x') + plain); }),
      set([&](auto& s) { s.set_image(Url("image")); }),
      set([&](auto& s) { s.set_working_dir(Url("working-dir")); }),
      set([&](auto& s) { s.set_user(Url("user")); }),
      set([&](auto& s) { s.set_runtime(Url("runtime")); }),
      set([&](auto& s) { s.set_seccomp_profile(Url("seccomp")); }),
      set([&](auto& s) { s.set_backend(Url("backend")); }),
      set([&](auto& s) { s.add_add_capabilities(Url("capability")); }),
      set([&](auto& s) { s.mutable_tenant()->set_job(Url("tenant") + std::string(500, 'x')); }),
      set([&](auto& s) { s.set_idempotency_key(Url("key") + std::string(500, 'x')); }),
      set([&](auto& s) { (*s.mutable_labels())["io.tidewaiter.x"] = kSecret; }),
      set([&](auto& s) { (*s.mutable_labels())["x"] = kSecret + std::string(9000, 'x'); }),
      set([&](auto& s) { (*s.mutable_labels())[Url("label") + std::string(500, 'x')] = kSecret; }),
      set([&](auto& s) { (*s.mutable_env())["A"] = kSecret + std::string(300'000, 'x'); }),
      set([&](auto& s) { (*s.mutable_env())["A"] = kSecret + std::string(1, '\0'); }),
      set([&](auto& s) { (*s.mutable_env())[Url("env") + "="] = kSecret; }),
      set([&](auto& s) { s.add_command(kSecret + std::string(300'000, 'x')); }),
      set([&](auto& s) { s.add_command(kSecret + std::string(1, '\0')); }),
      set([&](auto& s) { s.add_mounts()->set_target(Url("target")); }),
      set([&](auto& s) {
        s.add_mounts()->mutable_bind()->set_source(Url("source"));
        s.mutable_mounts(0)->set_target("/data");
      }),
      set([&](auto& s) { s.add_mounts()->mutable_input()->set_name(Url("input")); }),
      set([&](auto& s) { s.add_mounts()->mutable_output()->set_name(Url("output")); }),
      set([&](auto& s) { s.add_mounts()->mutable_volume()->set_name(Url("volume")); }),
  };
}

class Secrets : public ::testing::Test {
 protected:
  // Every file of the broker's that has one, with a piece of what it has.
  [[nodiscard]] std::vector<std::string> Found() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(broker_.folder())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file),
                             std::istreambuf_iterator<char>()};
      const std::size_t at = text.find(kSecret);
      if (at == std::string::npos) continue;
      found.push_back(entry.path().string() + ": " + text.substr(at < 40 ? 0 : at - 40, 100));
    }
    return found;
  }
  [[nodiscard]] std::string AuditText() {
    std::string text;
    for (const std::string& line : client_.AuditLines()) text += line + '\n';
    return text;
  }
  // Detached, to its end.
  v1::WaitResponse Start(v1::RunSpec spec) {
    const auto deadline = std::chrono::system_clock::now() + kPatience;
    grpc::ClientContext starting;
    starting.set_deadline(deadline);
    v1::StartRequest start;
    *start.mutable_spec() = std::move(spec);
    v1::StartResponse begun;
    const grpc::Status status = client_.broker().Start(&starting, start, &begun);
    EXPECT_TRUE(status.ok()) << status.error_message();
    grpc::ClientContext waiting;
    waiting.set_deadline(deadline);
    v1::WaitRequest wait;
    wait.set_run_id(begun.run_id());
    v1::WaitResponse end;
    const grpc::Status waited = client_.broker().Wait(&waiting, wait, &end);
    EXPECT_TRUE(waited.ok()) << waited.error_message();
    return end;
  }

  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(),
                         .settings = "log_level = \"debug\"\n"}};
  GateClient client_{broker_.socket_path()};
};

TEST_F(Secrets, OfAnAdmittedRunAreInNoFileWhileItRunsNorAfterwards) {
  v1::RunSpec spec = Loaded();
  spec.set_command(0, "wait");
  spec.add_command("--password=" + Url("argument-url"));
  spec.set_idempotency_key(Url("key"));
  std::vector<std::string> meanwhile;
  const Transcript transcript = client_.Run(spec, [&](const auto& event, auto& stream, auto&) {
    if (!event.has_started()) return;
    meanwhile = Found();
    v1::RunRequest cancel;
    cancel.mutable_cancel();
    stream.Write(cancel);
  });
  ASSERT_TRUE(transcript.Has(v1::RunEvent::kStarted)) << transcript.status.error_message();
  EXPECT_THAT(engine_.CreateBodies().at(0).dump(), HasSubstr("S3CRET-argument"));
  EXPECT_THAT(meanwhile, IsEmpty());
  EXPECT_THAT(Found(), IsEmpty());
  // It is there for who has the key, and what is no secret can be read.
  EXPECT_THAT(AuditText(), HasSubstr("\"name\":\"TOKEN\",\"value_hash\":\"hmac-sha256:"));
  EXPECT_THAT(AuditText(), HasSubstr("\"challenge\":\"https://***@host.example/x\""));
}

TEST_F(Secrets, OfADetachedRunAreInNoFileThatIsKept) {
  EXPECT_EQ(Start(Loaded()).result().outcome(), v1::RunResult::EXITED);
  EXPECT_THAT(Found(), IsEmpty());
  broker_.Restart();
  EXPECT_THAT(Found(), IsEmpty());
}

// The engine's message quotes the program.
TEST_F(Secrets, OfARunThatTheEngineRefusesAreInNoFile) {
  for (const std::string word : {"missing", "refused"}) {
    v1::RunSpec spec = Loaded();
    spec.set_command(0, word);
    spec.set_command(1, std::string(kSecret) + "program");
    const v1::WaitResponse end = Start(spec);
    EXPECT_NE(end.result().outcome(), v1::RunResult::EXITED);
  }
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(Secrets, OfADeniedRunAreInNoFile) {
  std::size_t denied = 0;
  for (const v1::RunSpec& spec : Refused()) {
    if (client_.Run(spec).Has(v1::RunEvent::kDenied)) ++denied;
    v1::RunSpec all = Loaded();
    all.MergeFrom(spec);
    EXPECT_FALSE(client_.Run(all).Has(v1::RunEvent::kAdmitted)) << all.ShortDebugString();
  }
  EXPECT_GE(denied, Refused().size() - 2);  // what is no UTF-8 is no message
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(Secrets, InArchivesAreInNoFileOnceTheyAreRefusedOrTheRunIsOver) {
  const std::string name = std::string(kSecret) + "entry";
  for (const std::string& archive :
       {TarBytes().File(name, kSecret).Ended(), TarBytes().File("/" + name).Ended(),
        TarBytes().File("../" + name).Ended(),
        TarBytes().Add({.name = name, .type = '2', .link = kSecret}).Ended(),
        TarBytes().File(name).File(name).Ended()}) {
    v1::RunSpec spec = Spec();
    spec.add_mounts()->mutable_input()->set_name("code");
    spec.mutable_mounts(0)->set_target("/in");
    const Transcript transcript = client_.Run(spec, [&](const auto& event, auto& stream, auto&) {
      if (!event.has_admitted()) return;
      v1::RunRequest piece;
      piece.mutable_input()->set_name("code");
      piece.mutable_input()->set_data(archive);
      piece.mutable_input()->set_last(true);
      stream.Write(piece);
    });
    EXPECT_TRUE(transcript.Has(v1::RunEvent::kReceipt)) << transcript.status.error_message();
    EXPECT_THAT(Found(), IsEmpty());
  }
  EXPECT_THAT(AuditText(), HasSubstr("run.input"));
}

TEST_F(Secrets, InQuestionsAreInNoFile) {
  for (const bool tail : {false, true}) {
    v1::AuditFilter filter;
    filter.set_run_id(std::string(kSecret) + "run");
    filter.set_principal(std::string(kSecret) + "principal");
    filter.set_type(std::string(kSecret) + "type");
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));
    v1::AuditRecord record;
    v1::QueryRequest query;
    *query.mutable_filter() = filter;
    v1::TailRequest follow;
    *follow.mutable_filter() = filter;
    follow.set_from_start(true);
    const auto reader =
        tail ? client_.audit().Tail(&context, follow) : client_.audit().Query(&context, query);
    EXPECT_FALSE(reader->Read(&record));
    static_cast<void>(reader->Finish());
  }
  for (v1::RunSpec spec : Refused()) {
    grpc::ClientContext context;
    v1::ExplainRequest request;
    *request.mutable_spec() = std::move(spec);
    request.set_policy(std::string(kSecret) + "policy");
    v1::ExplainResponse response;
    static_cast<void>(client_.broker().Explain(&context, request, &response));
  }
  grpc::ClientContext context;
  v1::GetRequest get;
  get.set_run_id(std::string(kSecret) + "get");
  v1::GetResponse got;
  EXPECT_FALSE(client_.broker().Get(&context, get, &got).ok());
  EXPECT_THAT(Found(), IsEmpty());
}

}  // namespace
}  // namespace tidewaiter::testing
