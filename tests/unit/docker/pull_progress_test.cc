#include "broker/docker/pull_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidewaiter::docker {
namespace {

using ::testing::ElementsAre;

class Recorder final : public run::ImageProgressSink {
 public:
  void OnProgress(std::string_view layer, std::string_view status, std::int64_t current,
                  std::int64_t total) override {
    told.push_back(std::string(layer) + " " + std::string(status) + " " + std::to_string(current) +
                   "/" + std::to_string(total));
  }
  std::vector<std::string> told;
};

TEST(PullProgressTest, OneLayerIsToldOncePerStatusAndInterval) {
  Recorder recorder;
  PullProgress progress(recorder);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(progress.Feed(
        R"({"id":"a","status":"Downloading","progressDetail":{"current":1,"total":9}})"
        "\r\n"));
  }
  EXPECT_TRUE(progress.Feed("{\"id\":\"a\",\"status\":\"Pull complete\"}\n"));
  EXPECT_THAT(recorder.told, ElementsAre("a Downloading 1/9", "a Pull complete 0/0"));
}

TEST(PullProgressTest, LayersBeyondTheBoundAreNotTold) {
  Recorder recorder;
  PullProgress progress(recorder);
  for (int i = 0; i < 1000; ++i) {
    progress.Feed("{\"id\":\"l" + std::to_string(i) + "\",\"status\":\"x\"}\n");
  }
  EXPECT_EQ(recorder.told.size(), 256U);
}

TEST(PullProgressTest, ErrorLineEndsThePullWithTheEnginesWords) {
  Recorder recorder;
  PullProgress progress(recorder);
  EXPECT_FALSE(progress.Feed(
      "{\"errorDetail\":{\"message\":\"manifest\\nunknown\"},\"error\":\"manifest unknown\"}\n"));
  EXPECT_EQ(progress.failure(), "'manifest\\x0aunknown'");
}

TEST(PullProgressTest, GarbageIsPassedOver) {
  Recorder recorder;
  PullProgress progress(recorder);
  EXPECT_TRUE(progress.Feed("garbage\n[]\n{\"id\":3}\n"));
  EXPECT_FALSE(progress.failure().has_value());
}

}  // namespace
}  // namespace tidewaiter::docker
