// Attacks through mounts and labels: what the caller names must be what is mounted, and whose a
// container is must be the broker's word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

class MountAttack : public ::testing::Test {
 protected:
  MountAttack() {
    std::filesystem::create_directory(allowed_);
    ::chmod(allowed_.c_str(), 0755);
  }

  static v1::RunSpec Spec() {
    v1::RunSpec spec;
    spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
    spec.add_command("exit");
    spec.add_command("0");
    return spec;
  }

  Transcript RunWithBind(const std::string& source) {
    v1::RunSpec spec = Spec();
    v1::Mount& mount = *spec.add_mounts();
    mount.set_target("/data");
    mount.set_read_only(true);
    mount.mutable_bind()->set_source(source);
    return client_.Run(spec);
  }

  void ExpectDenied(const Transcript& transcript, const std::string& rule) {
    EXPECT_EQ(transcript.Reason(), "POLICY_DENIED");
    std::vector<std::string> rules;
    const v1::Denied denied = transcript.Denied();
    for (const v1::Violation& violation : denied.violations()) rules.push_back(violation.rule());
    EXPECT_THAT(rules, ::testing::Contains(rule));
    EXPECT_TRUE(engine_.CreateBodies().empty());
  }

  ScratchFolder folder_;
  std::string allowed_ = folder_ / "allowed";
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{
      {.docker_socket = folder_ / "engine.sock",
       .policy = BrokerProcess::StandInPolicy("[mounts]\nallow = [\"" + allowed_ + "\"]\n")}};
  GateClient client_{broker_.socket_path()};
};

TEST_F(MountAttack, OrdinaryFolderBelowAnAllowedOneIsMounted) {
  std::filesystem::create_directory(allowed_ + "/task");
  ::chmod((allowed_ + "/task").c_str(), 0755);
  EXPECT_EQ(RunWithBind(allowed_ + "/task").Result().outcome(), v1::RunResult::EXITED);
  ASSERT_EQ(engine_.CreateBodies().size(), 1U);
  EXPECT_THAT(engine_.CreateBodies()[0].dump(), ::testing::HasSubstr(allowed_ + "/task"));
}

TEST_F(MountAttack, SymbolicLinkAsSourceIsDenied) {
  ASSERT_EQ(::symlink("/etc", (allowed_ + "/link").c_str()), 0);
  ExpectDenied(RunWithBind(allowed_ + "/link"), "mount.source-untrusted");
}

TEST_F(MountAttack, SymbolicLinkOnTheWayToTheSourceIsDenied) {
  ASSERT_EQ(::symlink("/etc", (allowed_ + "/link").c_str()), 0);
  ExpectDenied(RunWithBind(allowed_ + "/link/ssl"), "mount.source-untrusted");
}

TEST_F(MountAttack, SourceInAFolderThatOthersMayWriteIsDenied) {
  std::filesystem::create_directories(allowed_ + "/shared/task");
  ::chmod((allowed_ + "/shared").c_str(), 0777);
  ExpectDenied(RunWithBind(allowed_ + "/shared/task"), "mount.source-untrusted");
}

TEST_F(MountAttack, SourceInAFolderOfAnotherUserIsDenied) {
  std::filesystem::create_directories(allowed_ + "/theirs/task");
  ASSERT_EQ(::chown((allowed_ + "/theirs").c_str(), 64001, 64001), 0);
  ExpectDenied(RunWithBind(allowed_ + "/theirs/task"), "mount.source-untrusted");
}

TEST_F(MountAttack, ClimbingOutOfAnAllowedFolderIsDenied) {
  ExpectDenied(RunWithBind(allowed_ + "/../../etc"), "mount.source-invalid");
}

TEST_F(MountAttack, FolderThatOnlyBeginsLikeAnAllowedOneIsDenied) {
  std::filesystem::create_directory(allowed_ + "-evil");
  ExpectDenied(RunWithBind(allowed_ + "-evil"), "mount.source-not-allowed");
}

TEST_F(MountAttack, SpoofedLabelIsDenied) {
  v1::RunSpec spec = Spec();
  (*spec.mutable_labels())["io.tidewaiter.run"] = "another";
  ExpectDenied(client_.Run(spec), "label.reserved");
}

}  // namespace
}  // namespace tidewaiter::testing
