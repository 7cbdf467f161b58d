// Attacks on the image allowlist and on the tag, through the real daemon.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

std::vector<std::string> RulesOf(const v1::Denied& denied) {
  std::vector<std::string> rules;
  for (const v1::Violation& violation : denied.violations()) rules.push_back(violation.rule());
  return rules;
}

class AllowlistAttack : public ::testing::Test {
 protected:
  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(
                             "[[images.allow]]\nrepository = \"ghcr.io/platformnetwork/*\"\n")}};
  GateClient client_{broker_.socket_path()};

  Transcript RunImage(const std::string& image) {
    v1::RunSpec spec;
    spec.set_image(image);
    spec.add_command("exit");
    spec.add_command("0");
    return client_.Run(spec);
  }
};

TEST_F(AllowlistAttack, PrefixOfAnAllowedNamespaceIsAnotherNamespace) {
  const std::string digest = std::string("@") + StandInEngine::kDigest;
  EXPECT_EQ(RunImage("ghcr.io/platformnetwork/task:1.0.0" + digest).Result().outcome(),
            v1::RunResult::EXITED);
  const std::size_t before = engine_.Calls().size();
  const Transcript attack = RunImage("ghcr.io/platformnetwork-evil/task:1.0.0" + digest);
  EXPECT_EQ(attack.status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(attack.Reason(), "POLICY_DENIED");
  EXPECT_THAT(RulesOf(attack.Denied()), ::testing::Contains("image.repository-not-allowed"));
  // The engine has not heard of it.
  EXPECT_EQ(engine_.Calls().size(), before);
}

TEST_F(AllowlistAttack, HostThatBeginsLikeAnAllowedHostIsAnotherHost) {
  const std::string digest = std::string("@") + StandInEngine::kDigest;
  for (const char* image : {"ghcr.io.evil.example/platformnetwork/task:1.0.0",
                            "evil.example/ghcr.io/platformnetwork/task:1.0.0",
                            "ghcr.io:8443/platformnetwork/task:1.0.0"}) {
    EXPECT_EQ(RunImage(image + digest).Reason(), "POLICY_DENIED") << image;
  }
}

TEST_F(AllowlistAttack, LatestIsNoVersion) {
  const Transcript attack =
      RunImage(std::string("ghcr.io/platformnetwork/task:latest@") + StandInEngine::kDigest);
  EXPECT_EQ(attack.Reason(), "POLICY_DENIED");
  EXPECT_THAT(RulesOf(attack.Denied()), ::testing::Contains("image.tag-not-semver"));
}

TEST_F(AllowlistAttack, ImageWithoutDigestIsRefused) {
  const Transcript attack = RunImage("ghcr.io/platformnetwork/task:1.0.0");
  EXPECT_EQ(attack.Reason(), "POLICY_DENIED");
  EXPECT_THAT(RulesOf(attack.Denied()), ::testing::Contains("image.digest-required"));
}

}  // namespace
}  // namespace tidewaiter::testing
