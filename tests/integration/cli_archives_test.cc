// `tidewaiter run --input --output` against the real daemon on a real engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/broker_process.h"
#include "tests/support/lab.h"
#include "tests/support/program.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CliArchives : public ::testing::Test {
 protected:
  void SetUp() override {
    TW_REQUIRE_LAB(lab);
    lab_ = lab;
    std::signal(SIGPIPE, SIG_IGN);
    broker_ = std::make_unique<BrokerProcess>(
        BrokerProcess::Options{.docker_socket = lab_.docker_socket,
                               .settings = "stop_grace = \"1s\"\ndrain_timeout = \"1s\"\n"});
    fs::create_directories(source_ + "/sub");
    Write(source_ + "/a", "first");
    Write(source_ + "/sub/b", "second");
  }
  void TearDown() override {
    if (!broker_) return;
    EXPECT_TRUE(Eventually(std::chrono::seconds(20), [&] {
      return LabelledLeftovers(lab_.docker_socket, broker_->broker_id()).empty() &&
             fs::is_empty(broker_->runs_folder());
    }));
  }

  [[nodiscard]] std::unique_ptr<Program> Start(const std::string& script,
                                               std::vector<std::string> options) const {
    options.insert(options.begin(), {"run", "-m", "64m"});
    for (const std::string& word : {lab_.image, std::string("sh"), std::string("-c"), script}) {
      options.push_back(word);
    }
    return std::make_unique<Program>(
        "tidewaiter", std::move(options),
        std::map<std::string, std::string>{{"TIDEWAITER_SOCKET", broker_->socket_path()}});
  }
  [[nodiscard]] Program::Ended Ask(const std::string& script,
                                   std::vector<std::string> options) const {
    return Start(script, std::move(options))->Wait();
  }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  // Absent or empty.
  static bool IsUntouched(const std::string& path) {
    return !fs::exists(path) || fs::is_empty(path);
  }

  Lab lab_;
  ScratchFolder folder_;
  const std::string source_ = folder_ / "source";
  const std::string result_ = folder_ / "result";
  std::unique_ptr<BrokerProcess> broker_;
};

TEST_F(CliArchives, AFolderGoesInAndAFolderComesBack) {
  const auto ended =
      Ask("cp -r /code/. /out && cat /code/a",
          {"--input", "code=" + source_ + ":/code", "--output", "built=/out:" + result_});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out, "first");
  EXPECT_EQ(Read(result_ + "/a"), "first");
  EXPECT_EQ(Read(result_ + "/sub/b"), "second");
}

TEST_F(CliArchives, AnArchiveOfAStrangerGoesInAsItIs) {
  Write(folder_ / "up.tar", TarBytes().File("./x", "from a tar").Ended());
  const auto ended = Ask("cat /code/x", {"--input", "code=" + (folder_ / "up.tar") + ":/code"});
  EXPECT_EQ(ended.out, "from a tar") << ended.err;
}

TEST_F(CliArchives, ARefusedArchiveSaysWhyAndNothingRuns) {
  Write(folder_ / "up.tar", TarBytes().File("../x").Ended());
  const auto ended = Ask("echo ran", {"--input", "code=" + (folder_ / "up.tar") + ":/code",
                                      "--output", "built=/out:" + result_});
  EXPECT_EQ(ended.status, 125);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("dot-dot"));
  EXPECT_TRUE(IsUntouched(result_));
}

TEST_F(CliArchives, WhatCannotBePackedCancelsTheRun) {
  fs::create_symlink("/etc", source_ + "/link");
  const auto ended = Ask("echo ran", {"--input", "code=" + source_ + ":/code"});
  EXPECT_EQ(ended.status, 125);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("'link'"));
}

TEST_F(CliArchives, OmissionsAreToldAndTheExitStatusIsTheJobs) {
  const auto ended = Ask("echo kept > /out/kept; ln -s / /out/root; exit 3",
                         {"--output", "built=/out:" + result_});
  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.err, HasSubstr("left behind 'root': symbolic-link"));
  EXPECT_EQ(Read(result_ + "/kept"), "kept\n");
  EXPECT_FALSE(fs::exists(result_ + "/root"));
}

TEST_F(CliArchives, CtrlCAmidAnUploadEndsTheRun) {
  auto program =
      Start("echo ran", {"--input", "code=-:/code", "--output", "built=/out:" + result_});
  program->Feed(TarBytes().File("a", std::string(2'000'000, 'x')).bytes());
  ASSERT_TRUE(
      Eventually(std::chrono::seconds(20), [&] { return !fs::is_empty(broker_->runs_folder()); }));
  program->Signal(SIGINT);
  ASSERT_TRUE(program->Complains("tidewaiter: cancelled"));  // with its stdin still open
  const auto ended = program->Wait();
  EXPECT_EQ(ended.status, 130) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_TRUE(IsUntouched(result_));
}

}  // namespace
}  // namespace tidewaiter::testing
