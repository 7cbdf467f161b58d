#include "client/commands/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace tidewaiter::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Answer {
  int status = 0;
  std::string out;
  std::string err;
};

Answer Ask(std::vector<std::string> arguments) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Answer answer;
  answer.status = RunProgram(std::move(arguments));
  answer.out = ::testing::internal::GetCapturedStdout();
  answer.err = ::testing::internal::GetCapturedStderr();
  return answer;
}

class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest() {
    std::string pattern = ::testing::TempDir() + "programXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ProgramTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string Write(const std::string& name, const std::string& content) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << content;
    return path;
  }

  [[nodiscard]] std::string Policy() const {
    return Write("policy.toml",
                 "version = 1\nmode = \"production\"\n[images]\ntag = \"semver\"\n"
                 "digest = \"required\"\n[[images.allow]]\nrepository = \"reg.example/lab/*\"\n"
                 "[[principal]]\nname = \"p\"\nuid = 1\nroles = [\"run\"]\npolicy = \"default\"\n");
  }

  std::string folder_;
};

const std::string kImage = "reg.example/lab/app:1.0.0@sha256:" + std::string(64, 'a');

TEST_F(ProgramTest, EveryCommandHasHelpWithAnExample) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"run"},
                                             {"explain"},
                                             {"ps"},
                                             {"cancel"},
                                             {"policy", "check"},
                                             {"image", "parse"},
                                             {"audit", "query"},
                                             {"audit", "tail"},
                                             {"audit", "stats"},
                                             {"audit", "report"},
                                             {"audit", "verify"},
                                             {"audit", "prove"},
                                             {"audit", "check-proof"},
                                             {"audit", "consistency"},
                                             {"audit", "key"},
                                             {"audit", "hash"},
                                             {"doctor"},
                                             {"version"}}) {
    std::vector<std::string> arguments = words;
    arguments.emplace_back("--help");
    const Answer answer = Ask(arguments);
    EXPECT_EQ(answer.status, 0) << words.front();
    EXPECT_THAT(answer.out, HasSubstr("\nExample: tidewaiter " + words.front()));
    EXPECT_THAT(answer.out, HasSubstr("--json"));
  }
}

TEST_F(ProgramTest, UsageErrorsAreTwo) {
  EXPECT_EQ(Ask({}).status, 2);
  EXPECT_EQ(Ask({"frob"}).status, 2);
  EXPECT_EQ(Ask({"run"}).status, 2);
  EXPECT_EQ(Ask({"run", "--privileged", "i"}).status, 2);
  EXPECT_EQ(Ask({"run", "--rm=false", "i"}).status, 2);
  EXPECT_EQ(Ask({"cancel"}).status, 2);
  EXPECT_EQ(Ask({"ps", "extra"}).status, 2);
  EXPECT_EQ(Ask({"image", "parse"}).status, 2);
  EXPECT_EQ(Ask({"policy", "check", "spec.json"}).status, 2);
  EXPECT_EQ(Ask({"audit", "query", "--since", "yesterday"}).status, 2);
}

TEST_F(ProgramTest, ABrokerThatIsNotThereIsOneFailureEach) {
  const std::string socket = "--socket=" + folder_ + "/none";
  EXPECT_EQ(Ask({"ps", socket}).status, 1);
  EXPECT_EQ(Ask({"cancel", socket, "x"}).status, 1);
  EXPECT_EQ(Ask({"version", socket}).status, 1);
  EXPECT_EQ(Ask({"doctor", socket}).status, 1);
  EXPECT_EQ(Ask({"audit", "query", socket}).status, 1);
}

TEST_F(ProgramTest, ImageParsePrintsOneObjectPerReference) {
  const Answer answer = Ask({"image", "parse", "--json", "busybox:1", "A/b"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_THAT(answer.out, HasSubstr(R"({"input":"busybox:1","registry":"docker.io",)"
                                    R"("repository":"library/busybox","tag":"1","digest":"",)"
                                    R"("canonical":"docker.io/library/busybox:1"})"
                                    "\n{\"input\":\"A/b\",\"error\":\""));
}

TEST_F(ProgramTest, AfterTwoDashesNothingIsAnOption) {
  const Answer answer = Ask({"image", "parse", "--json", "--", "--help", "[a,b]"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_THAT(answer.out, HasSubstr("{\"input\":\"--help\",\"error\""));
  EXPECT_THAT(answer.out, HasSubstr("\n{\"input\":\"[a,b]\",\"error\""));
}

TEST_F(ProgramTest, BytesThatAreNoUtf8StillMakeJson) {
  const Answer answer = Ask({"image", "parse", "--json", "a\xff"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_THAT(answer.out, HasSubstr("{\"input\":\"a\uFFFD\""));
}

TEST_F(ProgramTest, PolicyCheckAdmits) {
  const std::string spec = Write("good.json", R"({"image":")" + kImage + "\"}");
  const Answer answer = Ask({"policy", "check", "--policy", Policy(), "--json", spec});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr(R"("admitted":true,"violations":[],"effective":{"image":")"));
  EXPECT_THAT(answer.out, HasSubstr(R"("memoryBytes":"2147483648")"));
}

TEST_F(ProgramTest, PolicyCheckListsViolationsAndGoesOn) {
  const std::string bad = Write("bad.json", R"({"image":"evil","user":"0"})");
  const std::string good = Write("good.json", R"({"image":")" + kImage + "\"}");
  const Answer answer = Ask({"policy", "check", "--policy", Policy(), "--json", bad, good});
  EXPECT_EQ(answer.status, 1);
  EXPECT_THAT(answer.out, HasSubstr(R"("field":"user")"));
  EXPECT_THAT(answer.out, HasSubstr("\"effective\":null"));
  EXPECT_THAT(answer.out, HasSubstr("\n{\"spec\":\"" + good + "\",\"admitted\":true"));
  EXPECT_EQ(std::count(answer.out.begin(), answer.out.end(), '\n'), 2) << "one line for each spec";
}

TEST_F(ProgramTest, PolicyCheckKnowsWhichMountsTheDockerBackendDoesNotMake) {
  const std::string spec =
      Write("volume.json", R"({"image":")" + kImage +
                               R"(","mounts":[{"target":"/in","volume":{"name":"data"}}]})");
  const Answer answer = Ask({"policy", "check", "--policy", Policy(), "--json", spec});
  EXPECT_EQ(answer.status, 1);
  EXPECT_THAT(answer.out, HasSubstr(R"("admitted":false)"));
  EXPECT_THAT(answer.out, HasSubstr(R"("rule":"backend.mount-kind","field":"mounts[0].volume")"));
  EXPECT_THAT(answer.out, HasSubstr("\"effective\":null"));
}

TEST_F(ProgramTest, PolicyCheckTakesTheBrokersUserAndRefusesOneThatIsNotThere) {
  const std::string spec = Write("good.json", R"({"image":")" + kImage + "\"}");
  EXPECT_EQ(Ask({"policy", "check", "--policy", Policy(), "--broker-user", "990", spec}).status, 0);
  EXPECT_EQ(
      Ask({"policy", "check", "--policy", Policy(), "--broker-user", "nobody-at-all", spec}).status,
      2);
}

// As the broker refuses it.
TEST_F(ProgramTest, PolicyCheckRefusesAPolicyFileThatIsTooLong) {
  const std::string policy = Write("long.toml", "#" + std::string(1U << 20U, 'x'));
  EXPECT_EQ(Ask({"policy", "check", "--policy", policy, Write("s.json", "{}")}).status, 2);
}

TEST_F(ProgramTest, PolicyCheckNamesTheFieldOfWhatIsNoSpec) {
  const std::string spec = Write("typo.json", R"({"limits":{"memory":1}})");
  const Answer answer = Ask({"policy", "check", "--policy", Policy(), "--json", spec});
  EXPECT_EQ(answer.status, 1);
  EXPECT_THAT(answer.out, HasSubstr(R"("admitted":false)"));
  EXPECT_THAT(answer.out, HasSubstr(R"("field":"limits.memory")"));
}

TEST_F(ProgramTest, PolicyCheckGoesOnAfterAValueThatNoVersionKnows) {
  const std::string spec = Write("newer.json", R"({"network":{"mode":99}})");
  const std::string good = Write("good.json", R"({"image":")" + kImage + "\"}");
  const Answer answer = Ask({"policy", "check", "--policy", Policy(), "--json", spec, good});
  EXPECT_EQ(answer.status, 1);
  EXPECT_THAT(answer.out, HasSubstr("newer.json\",\"admitted\":false,\"violations\":[{"));
  EXPECT_THAT(answer.out, HasSubstr("good.json\",\"admitted\":true"));
}

TEST_F(ProgramTest, APolicyFileWithErrorsIsTwoWithItsPlaces) {
  const std::string policy = Write("broken.toml", "version = 1\nmode = \"production\"\nfrob = 1\n");
  const Answer answer = Ask({"policy", "check", "--policy", policy, Write("s.json", "{}")});
  EXPECT_EQ(answer.status, 2);
  EXPECT_THAT(answer.err, HasSubstr("broken.toml:3:1"));
}

TEST_F(ProgramTest, AnUnknownPrincipalIsTwoAndTheKnownAreNamed) {
  const Answer answer =
      Ask({"policy", "check", "--policy", Policy(), "--principal", "q", Write("s.json", "{}")});
  EXPECT_EQ(answer.status, 2);
  EXPECT_THAT(answer.err, HasSubstr("the policy names p"));
}

TEST_F(ProgramTest, ASpecThatCannotBeReadIsTwo) {
  EXPECT_EQ(Ask({"policy", "check", "--policy", Policy(), folder_ + "/none.json"}).status, 2);
}

TEST_F(ProgramTest, ASpecFileOfRunIsReadStrictly) {
  const Answer answer = Ask({"run", "--spec", Write("s.json", R"({"imag":"x"})")});
  EXPECT_EQ(answer.status, 2);
  EXPECT_THAT(answer.err, HasSubstr("imag"));
}

}  // namespace
}  // namespace tidewaiter::cli
