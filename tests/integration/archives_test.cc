// Inputs and outputs of a run, through the real daemon on a real engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "extract/extraction.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/lab.h"
#include "tests/support/tar_bytes.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// What came of an output.
struct Output {
  std::string archive;
  v1::OutputEnd end;
};

Output OutputOf(const Transcript& transcript, const std::string& name) {
  Output output;
  for (const v1::RunEvent& event : transcript.events) {
    if (!event.has_output_piece() || event.output_piece().name() != name) continue;
    output.archive += event.output_piece().data();
    if (event.output_piece().has_end()) output.end = event.output_piece().end();
  }
  return output;
}

class Archives : public ::testing::Test {
 protected:
  void SetUp() override {
    TW_REQUIRE_LAB(lab);
    lab_ = lab;
    Begin("");
  }
  void Begin(const std::string& settings) {
    broker_ = std::make_unique<BrokerProcess>(BrokerProcess::Options{
        .docker_socket = lab_.docker_socket,
        .settings = "stop_grace = \"1s\"\ndrain_timeout = \"1s\"\n" + settings});
    client_ = std::make_unique<GateClient>(broker_->socket_path());
  }

  [[nodiscard]] v1::RunSpec Shell(const std::string& script) const {
    v1::RunSpec spec;
    spec.set_image(lab_.image);
    for (const std::string& word : {std::string("sh"), std::string("-c"), script})
      spec.add_command(word);
    spec.mutable_limits()->set_memory_bytes(64 << 20);
    return spec;
  }
  static void AddInput(v1::RunSpec& spec, const std::string& name) {
    v1::Mount& mount = *spec.add_mounts();
    mount.set_target("/in/" + name);
    mount.mutable_input()->set_name(name);
  }
  static void AddOutput(v1::RunSpec& spec, const std::string& name) {
    v1::Mount& mount = *spec.add_mounts();
    mount.set_target("/out/" + name);
    mount.mutable_output()->set_name(name);
  }
  static void Send(GateClient::Stream& stream, const std::string& name, const std::string& data,
                   bool last = true) {
    v1::RunRequest request;
    request.mutable_input()->set_name(name);
    request.mutable_input()->set_data(data);
    request.mutable_input()->set_last(last);
    stream.Write(request);
  }
  // Runs it, with that archive for the input `code`.
  Transcript RunWith(const v1::RunSpec& spec, const std::string& archive) {
    return client_->Run(spec, [&archive](const v1::RunEvent& event, auto& stream, auto&) {
      if (event.has_admitted()) Send(stream, "code", archive);
    });
  }

  void ExpectNothingLeft() {
    EXPECT_TRUE(Eventually(std::chrono::seconds(20), [&] {
      return LabelledLeftovers(lab_.docker_socket, broker_->broker_id()).empty() &&
             std::filesystem::is_empty(broker_->runs_folder());
    }));
  }
  std::vector<nlohmann::json> Records(const std::string& type) {
    std::vector<nlohmann::json> records;
    for (const std::string& line : client_->AuditLines()) {
      nlohmann::json record = nlohmann::json::parse(line);
      if (record["type"] == type) records.push_back(std::move(record));
    }
    return records;
  }

  Lab lab_;
  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<GateClient> client_;
};

TEST_F(Archives, JobReadsItsInputAsItsOwnAndCannotChangeIt) {
  v1::RunSpec spec = Shell(
      "cd /in/code && stat -c '%n %u:%g %a' . sub sub/secret && cat sub/secret && "
      "! touch new 2>&1 && ! chmod 777 sub 2>&1");
  AddInput(spec, "code");
  const std::string archive = TarBytes()
                                  .Folder("sub/")
                                  .Add({.name = "sub/secret", .mode = "0004600"}, "for my eyes\n")
                                  .Ended();
  const Transcript transcript = RunWith(spec, archive);
  ASSERT_TRUE(transcript.status.ok()) << transcript.status.error_message();
  EXPECT_EQ(transcript.Result().exit_code(), 0)
      << transcript.Stderr() << transcript.Result().message();
  EXPECT_THAT(transcript.Stdout(),
              HasSubstr(". 65534:65534 755\nsub 65534:65534 755\nsub/secret 65534:65534 600\n"
                        "for my eyes\n"));
  EXPECT_THAT(transcript.Stdout(), HasSubstr("Read-only file system"));
  ExpectNothingLeft();
  const auto inputs = Records("run.input");
  ASSERT_EQ(inputs.size(), 1U);
  const nlohmann::json& noted = inputs[0]["archive"];
  EXPECT_EQ(noted["name"], "code");
  EXPECT_EQ(noted["entries"], 2);
  EXPECT_EQ(noted["bytes"], 12);
  EXPECT_EQ(noted["archive_bytes"], archive.size());
  EXPECT_EQ(noted["sha256"].get<std::string>().size(), 71U);
}

TEST_F(Archives, OutputComesBackAsPlainFilesAndFoldersAndTheRestIsListed) {
  v1::RunSpec spec = Shell(
      "cd /out/results && stat -c %u:%g . && mkdir sub closed && echo one > sub/a && ln sub/a "
      "sub/b &&"
      "ln -s /etc/passwd link && mkfifo pipe && echo two > private && chmod 0 private &&"
      "echo three > closed/c && chmod 0 closed && truncate -s 1099511627776 huge && touch "
      "\"$(printf "
      "'x\\033y')\"");
  AddOutput(spec, "results");
  const Transcript transcript = client_->Run(spec);
  ASSERT_EQ(transcript.Result().exit_code(), 0)
      << transcript.Stderr() << transcript.Result().message();
  EXPECT_EQ(transcript.Stdout(), "65534:65534\n");
  const Output output = OutputOf(transcript, "results");
  EXPECT_EQ(output.end.error(), "");
  extract::RecordingSink sink;
  const auto read = extract::ExtractBytes(output.archive, sink);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_THAT(sink.files,
              UnorderedElementsAre(Pair("sub/a", "one\n"), Pair("sub/b", "one\n"),
                                   Pair("private", "two\n"), Pair("closed/c", "three\n")));
  EXPECT_EQ(output.end.entries(), 6U);
  EXPECT_EQ(output.end.bytes(), 4U + 4 + 4 + 6);
  std::vector<std::string> omitted;
  for (const v1::Omission& omission : output.end.omissions()) {
    omitted.push_back(omission.path() + " " + omission.code());
  }
  EXPECT_THAT(omitted, UnorderedElementsAre("link symbolic-link", "pipe fifo",
                                            "huge too-many-bytes", "x\\x1by control-character"));
  EXPECT_EQ(output.end.omitted(), 4U);
  ExpectNothingLeft();
  const auto records = Records("run.output");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0]["archive"]["omitted"], 4);
  EXPECT_EQ(records[0]["archive"]["archive_bytes"], output.archive.size());
}

TEST_F(Archives, RefusedInputEndsTheRunBeforeTheEngineHearsOfIt) {
  v1::RunSpec spec = Shell("echo ran");
  AddInput(spec, "code");
  const Transcript transcript = RunWith(spec, TarBytes().File("../../evil").Ended());
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::FAILED);
  EXPECT_EQ(transcript.Result().reason(), "INPUT_REFUSED");
  EXPECT_THAT(transcript.Result().message(), HasSubstr("dot-dot"));
  EXPECT_THAT(transcript.Result().message(), HasSubstr("'../../evil'"));
  EXPECT_FALSE(transcript.Has(v1::RunEvent::kStarted));
  EXPECT_TRUE(transcript.Receipt().complete());
  ExpectNothingLeft();
  EXPECT_EQ(Records("run.input").at(0)["archive"]["error"], "INPUT_REFUSED: dot-dot");
}

TEST_F(Archives, InputBeyondItsLimitIsRefused) {
  v1::RunSpec spec = Shell("echo ran");
  AddInput(spec, "code");
  spec.mutable_limits()->set_input_bytes(10);
  const Transcript transcript = RunWith(spec, TarBytes().File("f", "12345678901").Ended());
  EXPECT_EQ(transcript.Result().reason(), "INPUT_REFUSED");
  EXPECT_THAT(transcript.Result().message(), HasSubstr("too-many-bytes"));
  ExpectNothingLeft();
}

TEST_F(Archives, SixteenMebibytesGoInAndComeBackUnchanged) {
  v1::RunSpec spec = Shell("cp /in/code/f /out/results/g");
  AddInput(spec, "code");
  AddOutput(spec, "results");
  std::string content;
  for (int i = 0; content.size() < (16U << 20U); ++i) content += std::to_string(i) + "\n";
  const std::string archive = TarBytes().File("f", content).Ended();
  const Transcript transcript = client_->Run(spec, [&](const auto& event, auto& stream, auto&) {
    if (!event.has_admitted()) return;
    constexpr std::size_t kPiece = std::size_t{1} << 20U;
    for (std::size_t at = 0; at < archive.size(); at += kPiece) {
      Send(stream, "code", archive.substr(at, kPiece), at + kPiece >= archive.size());
    }
  });
  EXPECT_EQ(transcript.Result().exit_code(), 0) << transcript.Result().message();
  extract::RecordingSink sink;
  ASSERT_TRUE(extract::ExtractBytes(OutputOf(transcript, "results").archive, sink).has_value());
  EXPECT_TRUE(sink.files["g"] == content);
  ExpectNothingLeft();
}

TEST_F(Archives, AClientThatVanishesAmidAnUploadLeavesNothing) {
  v1::RunSpec spec = Shell("echo ran");
  AddInput(spec, "code");
  const std::string archive = TarBytes().File("a", std::string(100'000, 'x')).bytes();
  client_->Run(spec, [&archive](const auto& event, auto& stream, auto& context) {
    if (!event.has_admitted()) return;
    Send(stream, "code", archive, false);
    context.TryCancel();
  });
  ExpectNothingLeft();
  EXPECT_TRUE(
      Eventually(std::chrono::seconds(20), [&] { return Records("run.finished").size() == 1; }));
  EXPECT_EQ(Records("run.finished").at(0)["outcome"]["kind"], "CLIENT_GONE");
}

TEST_F(Archives, ABrokerThatIsKilledAmidAnUploadCleansUpAtItsNextStart) {
  v1::RunSpec spec = Shell("echo ran");
  AddInput(spec, "code");
  // More than the worker gathers before it writes.
  const std::string archive = TarBytes().File("a", std::string(1'000'000, 'x')).bytes();
  client_->Run(spec, [&](const auto& event, auto& stream, auto&) {
    if (!event.has_admitted()) return;
    Send(stream, "code", archive, false);
    const std::string file =
        broker_->runs_folder() + "/" + event.admitted().run_id() + "/inputs/code/a";
    EXPECT_TRUE(
        Eventually(std::chrono::seconds(20), [&] { return std::filesystem::exists(file); }));
    broker_->Kill();
  });
  EXPECT_FALSE(std::filesystem::is_empty(broker_->runs_folder()));
  broker_->Restart();
  client_ = std::make_unique<GateClient>(broker_->socket_path());
  ExpectNothingLeft();
  EXPECT_EQ(Records("run.finished").at(0)["outcome"]["kind"], "LOST");
}

TEST_F(Archives, AHostileTreeInAnOutputIsRemoved) {
  // Nested beyond every path that could be named, closed, and of many files.
  v1::RunSpec spec = Shell(
      "cd /out/results; i=0; while [ $i -lt 1500 ]; do mkdir dddddddddd && cd dddddddddd; "
      "i=$((i+1)); "
      "done; chmod 0 .; cd /out/results; mkdir many; cd many; i=0; while [ $i -lt 3000 ]; do : > "
      "$i; "
      "i=$((i+1)); done; cd ..; chmod 0 many; chmod 0 .");
  AddOutput(spec, "results");
  const Transcript transcript = client_->Run(spec);
  EXPECT_EQ(transcript.Result().exit_code(), 0) << transcript.Stderr();
  const Output output = OutputOf(transcript, "results");
  EXPECT_EQ(output.end.error(), "");
  EXPECT_GE(output.end.entries(), 3000U + 64);
  EXPECT_EQ(output.end.omissions(0).code(), "too-deep");
  EXPECT_TRUE(transcript.Receipt().complete());
  ExpectNothingLeft();
}

TEST_F(Archives, NobodyButTheBrokerReachesTheFilesOfARun) {
  v1::RunSpec spec = Shell("sleep 100");
  AddInput(spec, "code");
  mode_t mode = 0;
  client_->Run(spec, [&](const auto& event, auto& stream, auto& context) {
    if (event.has_admitted()) Send(stream, "code", TarBytes().File("a").Ended());
    if (!event.has_started()) return;
    struct stat status {};
    EXPECT_EQ(::stat(broker_->runs_folder().c_str(), &status), 0);
    mode = status.st_mode & 0777U;
    context.TryCancel();
  });
  EXPECT_EQ(mode, 0700U);
  ExpectNothingLeft();
}

TEST_F(Archives, ARunThatCouldFillTheDiskDoesNotBeginOnOneThatIsFull) {
  broker_.reset();
  Begin("min_free_bytes = \"500TiB\"\n");
  v1::RunSpec spec = Shell("echo ran");
  AddOutput(spec, "results");
  const Transcript transcript = client_->Run(spec);
  EXPECT_EQ(transcript.Result().reason(), "DISK_LOW");
  EXPECT_THAT(transcript.Result().message(), HasSubstr("min_free_bytes"));
  EXPECT_EQ(client_->Run(Shell("echo ran")).Stdout(), "ran\n");
  ExpectNothingLeft();
}

TEST_F(Archives, AClientThatSendsNothingOfItsInputIsNotWaitedForLong) {
  broker_.reset();
  Begin("input_stall = \"200ms\"\n");
  v1::RunSpec spec = Shell("echo ran");
  AddInput(spec, "code");
  const Transcript transcript = client_->Run(spec);
  EXPECT_EQ(transcript.Result().reason(), "INPUT_STALLED");
  ExpectNothingLeft();
}

TEST_F(Archives, OnePrincipalsInputsHaveABound) {
  broker_.reset();
  Begin("max_input_bytes_per_principal = \"1MiB\"\n");
  v1::RunSpec spec = Shell("echo ran");
  AddInput(spec, "code");
  const Transcript transcript = RunWith(spec, TarBytes().File("a").Ended());
  EXPECT_EQ(transcript.Result().reason(), "INPUT_QUOTA");
  EXPECT_THAT(transcript.Result().message(), HasSubstr("max_input_bytes_per_principal"));
  spec.mutable_limits()->set_input_bytes(1000);
  EXPECT_EQ(RunWith(spec, TarBytes().File("a").Ended()).Stdout(), "ran\n");
  ExpectNothingLeft();
}

}  // namespace
}  // namespace tidewaiter::testing
