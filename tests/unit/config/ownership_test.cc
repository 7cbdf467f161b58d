#include "broker/config/ownership.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/support/required.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::config {
namespace {

class Ownership : public ::testing::Test {
 protected:
  Ownership() {
    config_.policy = folder_ / "policy.toml";
    config_.state_dir = folder_ / "state";
    config_.audit_dir = folder_ / "audit";
    Write(folder_ / "tidewaiter.toml");
    Write(config_.policy);
  }

  static void Write(const std::string& path) {
    std::ofstream(path) << "x";
    ::chmod(path.c_str(), 0600);
  }

  std::vector<OwnershipFinding> Find() {
    return CheckOwnership(folder_ / "tidewaiter.toml", config_);
  }

  testing::ScratchFolder folder_;
  BrokerConfig config_;
};

TEST_F(Ownership, OwnFilesAreTrusted) {
  const auto findings = Find();
  EXPECT_TRUE(findings.empty()) << findings.front().error.message;
}

TEST_F(Ownership, GroupWritablePolicyIsFoundInEveryMode) {
  ::chmod(config_.policy.c_str(), 0620);
  const auto findings = Find();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].what, "policy");
  EXPECT_TRUE(findings[0].always);
}

// Whoever can change it can answer for every registry.
TEST_F(Ownership, WritableCertificatesAreFoundInEveryMode) {
  config_.registry.ca_file = folder_ / "ca.pem";
  Write(config_.registry.ca_file);
  EXPECT_TRUE(Find().empty());
  ::chmod(config_.registry.ca_file.c_str(), 0620);
  const auto findings = Find();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].what, "registry certificates");
  EXPECT_TRUE(findings[0].always);
}

// Whoever can change them can read the records on their way, or take the checkpoints.
TEST_F(Ownership, WritableCertificatesOfReceiversAreFoundInEveryMode) {
  config_.audit.syslog_ca_file = folder_ / "syslog.pem";
  config_.audit.checkpoint_ca_file = folder_ / "notes.pem";
  Write(config_.audit.syslog_ca_file);
  Write(config_.audit.checkpoint_ca_file);
  EXPECT_TRUE(Find().empty());
  ::chmod(config_.audit.syslog_ca_file.c_str(), 0620);
  ::chmod(config_.audit.checkpoint_ca_file.c_str(), 0602);
  const auto findings = Find();
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].what, "syslog certificates");
  EXPECT_EQ(findings[1].what, "checkpoint certificates");
  EXPECT_TRUE(findings[0].always && findings[1].always);
}

// Of a file that is trusted itself: the link alone is the finding.
TEST_F(Ownership, PolicyThatIsASymbolicLinkIsFoundInEveryMode) {
  const std::string target = folder_ / "target.toml";
  ASSERT_EQ(::rename(config_.policy.c_str(), target.c_str()), 0);
  ASSERT_EQ(::symlink(target.c_str(), config_.policy.c_str()), 0);
  const auto findings = Find();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].what, "policy");
  EXPECT_TRUE(findings[0].always);
}

TEST_F(Ownership, ConfigurationThatIsASymbolicLinkIsFoundInEveryMode) {
  const std::string config = folder_ / "tidewaiter.toml";
  const std::string target = folder_ / "target.toml";
  ASSERT_EQ(::rename(config.c_str(), target.c_str()), 0);
  ASSERT_EQ(::symlink(target.c_str(), config.c_str()), 0);
  const auto findings = Find();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].what, "configuration");
  EXPECT_TRUE(findings[0].always);
}

// Only root can give a file away.
TEST_F(Ownership, PolicyOfAnotherUserIsFoundInEveryMode) {
  TW_REQUIRE_ROOT();
  ASSERT_EQ(::chown(config_.policy.c_str(), 12345, 12345), 0);
  const auto findings = Find();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_TRUE(findings[0].always);
}

TEST_F(Ownership, WritableStateFolderIsFound) {
  ::mkdir(config_.state_dir.c_str(), 0700);
  ::chmod(config_.state_dir.c_str(), 0777);
  const auto findings = Find();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].path, config_.state_dir);
}

TEST_F(Ownership, FolderOnTheWayIsFoundButForgivable) {
  ::chmod(folder_.path().c_str(), 0777);
  const auto findings = Find();
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].what, "configuration");
  EXPECT_FALSE(findings[0].always);
}

}  // namespace
}  // namespace tidewaiter::config
