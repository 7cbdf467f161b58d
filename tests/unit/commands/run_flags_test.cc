#include "client/commands/run_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "client/commands/invocation.h"
#include "wire/spec_json.h"

namespace tidewaiter::cli {
namespace {

using ::testing::HasSubstr;

std::optional<std::string> Environment(const std::string& name) {
  if (name == "LANG") return "C.UTF-8";
  return std::nullopt;
}

// The same JSON with its names in order: protobuf's maps have none.
std::string Json(const std::string& text) {
  return nlohmann::json::parse(text).dump();
}

// What the arguments of `run` make of `spec`, as JSON, or the error.
std::string Parse(std::vector<std::string> arguments, v1::RunSpec spec = {}) {
  CLI::App app;
  Invocation invocation;
  RunFlags flags;
  CLI::App& command =
      AddCommand(app, {.name = "run", .summary = "", .arguments = "", .details = ""});
  command.prefix_command();
  flags.Register(command);
  arguments.insert(arguments.begin(), "run");
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(std::move(arguments));
    const auto applied = flags.Apply(ImageAndCommand(command, invocation), Environment, spec);
    return applied ? Json(wire::SpecToJson(spec)) : "error: " + applied.error().message;
  } catch (const CLI::Error& error) {
    return std::string("error: ") + error.what();
  }
}

TEST(RunFlags, DescribeAWholeRun) {
  EXPECT_EQ(
      Parse({"-e",
             "A=1",
             "--env=B=x=y",
             "-w",
             "/w",
             "-u",
             "1000:1000",
             "-m",
             "512m",
             "--cpus",
             "0.5",
             "--pids-limit",
             "64",
             "--timeout",
             "90s",
             "--log-bytes",
             "1m",
             "--tmpfs-bytes",
             "8m",
             "--ulimit",
             "nofile=256",
             "--network",
             "isolated",
             "--cap-add",
             "NET_BIND_SERVICE",
             "--read-only=false",
             "--runtime",
             "runsc",
             "--security-opt",
             "seccomp=strict",
             "--backend",
             "docker",
             "--tenant-challenge",
             "c",
             "--tenant-job",
             "j",
             "--tenant-task",
             "t",
             "--idempotency-key",
             "k",
             "image:1.0.0",
             "ls",
             "-l"}),
      Json(
          R"({"image":"image:1.0.0","command":["ls","-l"],"env":{"A":"1","B":"x=y"},)"
          R"("workingDir":"/w","user":"1000:1000","limits":{"memoryBytes":"536870912","cpus":0.5,)"
          R"("pids":"64","timeout":"90s","tmpfsBytes":"8388608","logBytes":"1048576",)"
          R"("openFiles":"256"},"network":{"mode":"ISOLATED"},"addCapabilities":["NET_BIND_SERVICE"],)"
          R"("readOnlyRootfs":false,"runtime":"runsc","seccompProfile":"strict",)"
          R"("tenant":{"challenge":"c","job":"j","task":"t"},"backend":"docker",)"
          R"("idempotencyKey":"k"})"));
}

TEST(RunFlags, SayNothingThatWasNotSaid) {
  EXPECT_EQ(Parse({"image"}), Json(R"({"image":"image"})"));
}

TEST(RunFlags, EndAtTheImage) {
  EXPECT_EQ(Parse({"image", "-e", "A=1", "--", "--bogus"}),
            Json(R"({"image":"image","command":["-e","A=1","--","--bogus"]})"));
}

TEST(RunFlags, PassWordsOnByteForByte) {
  EXPECT_EQ(Parse({"image", "[a,b]", "", "{}", "[ -f x ]"}),
            Json(R"({"image":"image","command":["[a,b]","","{}","[ -f x ]"]})"));
  EXPECT_EQ(Parse({"-e", "A=[1,2]", "-l", "[x]", "image"}),
            Json(R"({"image":"image","env":{"A":"[1,2]"},"labels":{"[x]":""}})"));
}

TEST(RunFlags, ListOptionsDoNotSwallowTheImage) {
  EXPECT_EQ(Parse({"--cap-add", "CHOWN", "image", "ls"}),
            Json(R"({"image":"image","command":["ls"],"addCapabilities":["CHOWN"]})"));
}

TEST(RunFlags, ReadOnlyNeedsNoValueAndDoesNotTakeTheImageForOne) {
  EXPECT_EQ(Parse({"--read-only", "image"}), Json(R"({"image":"image","readOnlyRootfs":true})"));
}

TEST(RunFlags, RefuseAnUnknownOption) {
  EXPECT_THAT(Parse({"--privileged", "image"}), HasSubstr("unknown option '--privileged'"));
}

TEST(RunFlags, TakeVariablesFromTheEnvironment) {
  EXPECT_EQ(Parse({"-e", "LANG", "-e", "UNSET", "image"}),
            Json(R"({"image":"image","env":{"LANG":"C.UTF-8"}})"));
}

TEST(RunFlags, LetTheLastOfTwoVariablesWin) {
  EXPECT_EQ(Parse({"-e", "A=1", "-e", "A=2", "image"}),
            Json(R"({"image":"image","env":{"A":"2"}})"));
}

TEST(RunFlags, ReadVariablesFromAFile) {
  const std::string path = ::testing::TempDir() + "run_flags_env." + std::to_string(::getpid());
  std::ofstream(path) << "# comment\n\nA=1\r\n  B=two words \nLANG\n";
  EXPECT_EQ(Parse({"--env-file", path, "-e", "A=3", "image"}),
            Json(R"({"image":"image","env":{"A":"3","B":"two words ","LANG":"C.UTF-8"}})"));
  std::ofstream(path) << "A=1\n=x\n";
  EXPECT_THAT(Parse({"--env-file", path, "image"}), HasSubstr(path + ":2: "));
  std::filesystem::remove(path);
}

TEST(RunFlags, LieOverASpec) {
  v1::RunSpec spec;
  spec.set_image("old");
  spec.add_command("old");
  (*spec.mutable_env())["A"] = "old";
  (*spec.mutable_env())["B"] = "old";
  spec.mutable_limits()->set_pids(7);
  EXPECT_EQ(Parse({"-e", "A=new", "-m", "64m", "new", "ls"}, spec),
            Json(R"({"image":"new","command":["ls"],"env":{"A":"new","B":"old"},)"
                 R"("limits":{"memoryBytes":"67108864","pids":"7"}})"));
  EXPECT_EQ(Parse({}, spec), Json(wire::SpecToJson(spec)));
}

TEST(RunFlags, PassOnWhatThePolicyIsToRefuse) {
  EXPECT_EQ(
      Parse({"-m", "0", "--pids-limit", "-1", "--timeout", "-1.5s", "image"}),
      Json(R"({"image":"image","limits":{"memoryBytes":"0","pids":"-1","timeout":"-1.500s"}})"));
}

TEST(RunFlags, NameTheOptionThatCannotBeRead) {
  EXPECT_THAT(Parse({"--network", "host", "i"}), HasSubstr("--network 'host'"));
  EXPECT_THAT(Parse({"--cpus", "many", "i"}), HasSubstr("--cpus 'many'"));
  EXPECT_THAT(Parse({"--cpus", "inf", "i"}), HasSubstr("--cpus 'inf'"));
  EXPECT_THAT(Parse({"--ulimit", "nproc=1", "i"}), HasSubstr("--ulimit 'nproc=1'"));
  EXPECT_THAT(Parse({"--ulimit", "nofile=1:2", "i"}), HasSubstr("--ulimit 'nofile=1:2'"));
  EXPECT_THAT(Parse({"--security-opt", "apparmor=x", "i"}), HasSubstr("--security-opt"));
  EXPECT_THAT(Parse({"--read-only=maybe", "i"}), HasSubstr("--read-only 'maybe'"));
}

TEST(RunFlags, TakeDockersWordsForWhatAlwaysHolds) {
  EXPECT_EQ(Parse({"--security-opt", "no-new-privileges", "--ulimit", "nofile=9:9", "image"}),
            Json(R"({"image":"image","limits":{"openFiles":"9"}})"));
}

}  // namespace
}  // namespace tidewaiter::cli
