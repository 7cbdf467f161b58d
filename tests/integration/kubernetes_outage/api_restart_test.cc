// Runs on a real cluster whose API server ends amid them and comes back: no other test runs
// meanwhile. The end of each test: KubernetesWorld's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "tests/support/eventually.h"
#include "tests/support/kubernetes_world.h"
#include "tests/support/project_file.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;

class ApiRestart : public KubernetesWorld {
 protected:
  void SetUp() override {
    KubernetesWorld::SetUp();
    if (admin_) Begin();
  }
  // Returns once it is back.
  static void RestartApiServer() {
    const auto ended = Program(ProjectFile("tests/lab/kubernetes"), {"restart-api"}).Wait(kWithin);
    ASSERT_EQ(ended.status, 0) << ended.out << ended.err;
  }
  // Until the cluster says that the job's container of one of this broker's pods has ended.
  void AwaitEndOfJob() const {
    ASSERT_TRUE(Eventually(kWithin, [&] {
      return !admin_
                  ->Try({"--namespace", cluster_->name_space, "get", "pods", "--selector",
                         "io.tidewaiter.broker=" + broker_->broker_id(), "--output",
                         "jsonpath={.items[*].status.containerStatuses[?(@.name=='job')]"
                         ".state.terminated.reason}"})
                  .out.empty();
    }));
  }
};

// One that writes, one that is stopped and one whose output is on its way, at once: a restart takes
// the lab a while.
TEST_F(ApiRestart, IsSeenInNothingThatRunsTell) {
  constexpr int kLines = 300;
  constexpr std::uintmax_t kBytes = std::uintmax_t{192} << 20U;
  const ScratchFolder folder;
  const std::string result = folder / "result";
  const auto stopped = Launch(RunWords({}, {"sh", "-c", "echo up; sleep 600"}));
  const auto writes =
      Launch(RunWords({}, {"sh", "-c",
                           "i=0; while [ $i -lt " + std::to_string(kLines) +
                               " ]; do i=$((i+1)); echo line $i; sleep 0.1; done; exit 7"}));
  ASSERT_TRUE(stopped->Prints("up\n"));
  ASSERT_TRUE(writes->Prints("line 1\n"));
  const auto gives = Launch(RunWords(
      {"--output", "built=/out:" + result},
      {"sh", "-c", "head -c " + std::to_string(kBytes) + " /dev/zero > /out/big; exit 5"}));
  AwaitEndOfJob();
  stopped->Signal(SIGINT);
  RestartApiServer();

  std::string lines;
  for (int i = 1; i <= kLines; ++i) lines += "line " + std::to_string(i) + "\n";
  const Program::Ended written = writes->Wait(kWithin);
  EXPECT_EQ(written.status, 7) << written.err;
  EXPECT_EQ(written.out, lines);
  EXPECT_EQ(stopped->Wait(kWithin).status, 130);
  const Program::Ended given = gives->Wait(kWithin);
  EXPECT_EQ(given.status, 5) << given.err;
  ASSERT_TRUE(fs::exists(result + "/big")) << given.err;
  EXPECT_EQ(fs::file_size(result + "/big"), kBytes);
}

}  // namespace
}  // namespace tidewaiter::testing
