// Inputs and outputs of runs on a real cluster: the same as on the engine, and nothing of them left
// behind (KubernetesWorld).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "tests/support/eventually.h"
#include "tests/support/kubernetes_world.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class KubernetesFiles : public KubernetesWorld {
 protected:
  void SetUp() override {
    KubernetesWorld::SetUp();
    fs::create_directories(source_ + "/sub/deep");
    Write("a", "first", 0644);
    Write("sub/tool", "#!/bin/sh\necho tool ran\n", 0755);
    Write("sub/Zoë ⛵ " + std::string(120, 'n'), "a long name that is not ASCII", 0640);
  }
  void Write(const std::string& name, const std::string& text, mode_t mode) const {
    std::ofstream(source_ + "/" + name) << text;
    ::chmod((source_ + "/" + name).c_str(), mode);
  }
  // Names below a folder, with a file's permissions and content.
  static std::map<std::string, std::string> Tree(const std::string& folder) {
    std::map<std::string, std::string> tree;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const std::string name = fs::relative(entry.path(), folder);
      const auto mode = static_cast<unsigned>(entry.status().permissions());
      tree[name] =
          std::to_string(mode) + " " + (entry.is_directory() ? "/" : Read(entry.path().string()));
    }
    return tree;
  }
  Program::Ended WithFiles(const std::string& backend, const std::string& result,
                           const std::string& script) const {
    return Ask(RunWords({"--backend", backend, "--input", "code=" + source_ + ":/code", "--output",
                         "built=/out:" + result},
                        {"sh", "-c", script}));
  }
  v1::RunSpec WithOutput(const std::string& script) const {
    v1::RunSpec spec = Shell(script);
    v1::Mount* mount = spec.add_mounts();
    mount->set_target("/out");
    mount->mutable_output()->set_name("built");
    return spec;
  }
  [[nodiscard]] std::string Secrets() const {
    return admin_
        ->Try({"--namespace", cluster_->name_space, "get", "secrets", "--selector",
               "io.tidewaiter.broker=" + broker_->broker_id(), "--output", "name"})
        .out;
  }

  ScratchFolder folder_;
  const std::string source_ = folder_ / "source";
};

TEST_F(KubernetesFiles, TheyAreTheSameOnBothBackends) {
  Begin();
  const std::string script =
      "cp -r /code/. /out && /code/sub/tool && cd /out && ln -s a link && mkfifo pipe && "
      "mkdir closed && echo x > closed/y && chmod 0 closed && stat -c '%n %u %g %a' /code /code/a "
      "/out; "
      "touch /code/new 2>&1 || echo read-only; exit 5";
  const Program::Ended cluster = WithFiles("kubernetes", folder_ / "cluster", script);
  const Program::Ended engine = WithFiles("docker", folder_ / "engine", script);
  EXPECT_EQ(cluster.status, 5) << cluster.err;
  EXPECT_EQ(engine.status, 5) << engine.err;
  EXPECT_THAT(cluster.out, HasSubstr("tool ran\n"));
  EXPECT_THAT(cluster.out, HasSubstr("\nread-only\n"));
  EXPECT_EQ(cluster.out, engine.out);
  EXPECT_EQ(cluster.err, engine.err);
  EXPECT_THAT(cluster.err, AllOf(HasSubstr("'link': symbolic-link"), HasSubstr("'pipe': fifo")));
  EXPECT_EQ(Tree(folder_ / "cluster"), Tree(folder_ / "engine"));
  EXPECT_EQ(Read((folder_ / "cluster") + "/closed/y"), "x\n");
}

TEST_F(KubernetesFiles, AnInputOfSeveralSecretsArrivesWhole) {
  Begin();
  std::string bytes(3'300'000, '\0');
  std::mt19937_64 random(7);
  for (char& byte : bytes) byte = static_cast<char>(random());
  Write("big", bytes, 0644);
  std::string secrets;
  const auto program = Launch(RunWords(
      {"--input", "code=" + source_ + ":/code", "--output", "built=/out:" + (folder_ / "result")},
      {"sh", "-c", "cp /code/big /out/; echo up; sleep 3"}));
  ASSERT_TRUE(program->Prints("up\n"));
  secrets = Secrets();
  const Program::Ended ended = program->Wait(kWithin);
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(std::count(secrets.begin(), secrets.end(), '\n'), 4) << secrets;
  EXPECT_TRUE(Read((folder_ / "result") + "/big") == bytes);
  EXPECT_EQ(Secrets(), "");
}

TEST_F(KubernetesFiles, InputsBeyondWhatIsCarriedAreRefusedBeforeAnythingIsMade) {
  Begin({.cluster = "max_input_bytes = \"100KiB\"\n"});
  Write("big", std::string(200'000, 'x'), 0644);
  const Program::Ended ended = WithFiles("kubernetes", folder_ / "result", "echo ran");
  EXPECT_EQ(ended.status, 125);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("too-many-bytes"));
  EXPECT_THAT(Leftovers(), IsEmpty());
}

TEST_F(KubernetesFiles, AnOutputBeyondItsLimitLosesWhatDoesNotFit) {
  Begin();
  v1::RunSpec spec = WithOutput("echo small > /out/a; head -c 300000 /dev/zero > /out/b");
  spec.mutable_limits()->set_output_bytes(100'000);
  const Transcript transcript = Run(spec);
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
  std::vector<std::string> omitted;
  for (const v1::RunEvent& event : transcript.events) {
    if (!event.has_output_piece() || !event.output_piece().has_end()) continue;
    EXPECT_EQ(event.output_piece().end().error(), "");
    EXPECT_EQ(event.output_piece().end().bytes(), 6U);
    for (const v1::Omission& omission : event.output_piece().end().omissions()) {
      omitted.push_back(omission.path() + " " + omission.code());
    }
  }
  EXPECT_THAT(omitted, ElementsAre("b too-many-bytes"));
}

// The pod goes as a whole, and its volumes with it.
TEST_F(KubernetesFiles, OutputsOfARunThatWasStoppedAreSaidToBeGone) {
  Begin();
  v1::RunSpec spec = WithOutput("echo x > /out/a; echo up; sleep 300");
  spec.mutable_limits()->mutable_timeout()->set_seconds(3);
  const Transcript transcript = Run(spec);
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::TIMED_OUT);
  std::string error;
  for (const v1::RunEvent& event : transcript.events) {
    if (event.has_output_piece() && event.output_piece().has_end()) {
      error = event.output_piece().end().error();
    }
  }
  EXPECT_THAT(error, HasSubstr("the pod was stopped, and its volumes went with it"));
}

TEST_F(KubernetesFiles, CarrierThatIsNoneIsToldInTheClustersWords) {
  const std::string digest = lab_.image.substr(lab_.image.find('@'));
  Begin({.carrier = lab_.registry + "/lab/toolbox" + digest});
  const Program::Ended ended = WithFiles("kubernetes", folder_ / "result", "echo ran");
  EXPECT_EQ(ended.status, 125);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, AllOf(HasSubstr("prepare the run's files in the pod"),
                               HasSubstr("/tidewaiter-carrier")));
  EXPECT_EQ(RecordedOutcome(), "FAILED");
}

// Nothing runs whose outputs could not be had.
TEST_F(KubernetesFiles, CarrierThatCannotBePulledEndsTheRunBeforeItsCommandRuns) {
  Begin({.cluster = "pull_failure_timeout = \"2s\"\n",
         .carrier = lab_.registry + "/lab/carrier@sha256:" + std::string(64, '0')});
  const Program::Ended ended =
      Ask(RunWords({"--backend", "kubernetes", "--output", "built=/out:" + (folder_ / "result")},
                   {"sh", "-c", "echo ran"}));
  EXPECT_EQ(ended.status, 125);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("pull the image of the carrier"));
}

// Its inputs were unpacked by the cluster meanwhile, its outputs wait for the next broker.
TEST_F(KubernetesFiles, OutputsOfADetachedRunOutliveABrokerThatIsKilled) {
  Begin();
  const std::string run_id =
      Start(WithOutput("echo begun; sleep 3; echo made > /out/a; exit 4")).run_id();
  AwaitOutput(run_id, "begun\n");
  broker_->Kill();
  broker_->Restart();
  Reconnect();
  EXPECT_EQ(Ask({"wait", run_id}).status, 4);
  const Program::Ended fetched = Ask({"fetch", run_id, "built=" + (folder_ / "result")});
  EXPECT_EQ(fetched.status, 0) << fetched.err;
  EXPECT_EQ(Read((folder_ / "result") + "/a"), "made\n");
}

TEST_F(KubernetesFiles, ABrokerThatIsKilledLeavesNoSecrets) {
  Begin();
  const auto program = Launch(
      RunWords({"--input", "code=" + source_ + ":/code"}, {"sh", "-c", "echo up; sleep 300"}));
  ASSERT_TRUE(program->Prints("up\n"));
  EXPECT_NE(Secrets(), "");
  broker_->Kill();
  static_cast<void>(program->Wait(kWithin));
  broker_->Restart();
  Reconnect();
  EXPECT_TRUE(Eventually(kWithin, [&] { return Secrets().empty(); }));
}

}  // namespace
}  // namespace tidewaiter::testing
