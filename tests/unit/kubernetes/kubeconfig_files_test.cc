// A kubeconfig and what it names as files on disk, and the files that a pod has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "broker/kubernetes/kubeconfig.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/test_certificates.h"

namespace tidewaiter::kubernetes {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using tidewaiter::testing::TestAuthority;

constexpr const char* kConfig = R"(
current-context: x
clusters: [{name: c, cluster: {server: "https://host", certificate-authority: pki/ca.crt}}]
users:
- name: u
  user: {client-certificate: pki/own.crt, client-key: pki/own.key, tokenFile: pki/token}
contexts: [{name: x, context: {cluster: c, user: u}}]
)";

class KubeconfigFilesTest : public ::testing::Test {
 protected:
  KubeconfigFilesTest() {
    std::filesystem::create_directory(folder_ / "pki");
    Write("config", kConfig, 0600);
    Write("pki/ca.crt", authority_.pem(), 0644);
    Write("pki/own.crt", client_.certificate_pem(), 0644);
    Write("pki/own.key", client_.key_pem(), 0600);
    Write("pki/token", "a-token\n", 0640);
  }
  void Write(const std::string& name, const std::string& text, mode_t mode) {
    std::ofstream(folder_ / name) << text;
    Mode(name, mode);
  }
  void Mode(const std::string& name, mode_t mode) {
    ASSERT_EQ(::chmod((folder_ / name).c_str(), mode), 0);
  }
  static Result<ClusterAccess> LoadFrom(const std::string& path) {
    return LoadKubeconfig({.path = path, .context = ""});
  }
  Result<ClusterAccess> Load() { return LoadFrom(folder_ / "config"); }
  std::string Problem() {
    const Result<ClusterAccess> access = Load();
    return access ? "none" : std::string(access.error().Reason()) + " " + access.error().message;
  }

  const tidewaiter::testing::ScratchFolder folder_;
  const TestAuthority authority_;
  const TestAuthority::Issued client_ = authority_.IssueTo("broker");
};

TEST_F(KubeconfigFilesTest, PathsAreRelativeToTheKubeconfigsFolder) {
  const auto access = Load();
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->tls.ca_certificates, authority_.pem());
  EXPECT_TRUE(access->tls.key == client_.key_pem());
  EXPECT_EQ(access->token_file, folder_ / "pki/token");
  EXPECT_THAT(access->files,
              ElementsAre(folder_ / "config", folder_ / "pki/ca.crt", folder_ / "pki/own.crt",
                          folder_ / "pki/own.key", folder_ / "pki/token"));
}

TEST_F(KubeconfigFilesTest, AbsolutePathsStayAsTheyAre) {
  const tidewaiter::testing::ScratchFolder elsewhere;
  std::filesystem::rename(folder_ / "pki/ca.crt", elsewhere / "ca.crt");
  std::string text = kConfig;
  text.replace(text.find("pki/ca.crt"), 10, elsewhere / "ca.crt");
  Write("config", text, 0600);
  EXPECT_EQ(Problem(), "none");
}

TEST_F(KubeconfigFilesTest, SecretsThatOthersMayReadAreRefused) {
  for (const char* name : {"config", "pki/own.key", "pki/token"}) {
    for (const mode_t mode : {0604U, 0620U, 0602U, 0601U}) {
      Mode(name, mode);
      EXPECT_THAT(Problem(), AllOf(StartsWith("PERMISSION_DENIED"), HasSubstr(folder_ / name)))
          << std::oct << mode;
    }
    Mode(name, 0640);
    EXPECT_EQ(Problem(), "none");
  }
}

TEST_F(KubeconfigFilesTest, CertificatesThatOthersMayChangeAreRefused) {
  for (const char* name : {"pki/ca.crt", "pki/own.crt"}) {
    for (const mode_t mode : {0664U, 0646U}) {
      Mode(name, mode);
      EXPECT_THAT(Problem(), AllOf(StartsWith("PERMISSION_DENIED"), HasSubstr(folder_ / name)))
          << std::oct << mode;
    }
    Mode(name, 0444);
    EXPECT_EQ(Problem(), "none");
  }
}

TEST_F(KubeconfigFilesTest, WhatIsNoFileHoldsUpNobody) {
  std::filesystem::remove(folder_ / "pki/token");
  ASSERT_EQ(::mkfifo((folder_ / "pki/token").c_str(), 0600), 0);
  EXPECT_THAT(Problem(), HasSubstr("no regular file"));
  EXPECT_THAT(LoadFrom(folder_.path()).error().message, HasSubstr("no regular file"));
  EXPECT_THAT(LoadFrom(folder_ / "none").error().message, HasSubstr("No such file"));
  EXPECT_THAT(LoadFrom("config").error().message, HasSubstr("absolute"));
}

TEST_F(KubeconfigFilesTest, FileThatIsTooLongIsRefused) {
  Write("config", std::string((std::size_t{1} << 20U) + 1, '#'), 0600);
  EXPECT_THAT(Problem(), HasSubstr("more than 1048576 bytes"));
}

TEST_F(KubeconfigFilesTest, FaultsNameTheFile) {
  Write("config", "a: [", 0600);
  EXPECT_THAT(Problem(), AllOf(StartsWith("KUBECONFIG_INVALID"), HasSubstr(folder_ / "config")));
}

class InClusterTest : public ::testing::Test {
 protected:
  InClusterTest() {
    pod_.folder = folder_.path();
    pod_.host = "10.96.0.1";
    pod_.port = "443";
    Write("ca.crt", authority_.pem());
    Write("token", "of-a-service-account");
    Write("namespace", "jobs");
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    ASSERT_EQ(::chmod((folder_ / name).c_str(), 0644), 0);  // as the kubelet does
  }

  const tidewaiter::testing::ScratchFolder folder_;
  const TestAuthority authority_;
  PodSurroundings pod_;
};

TEST_F(InClusterTest, TakesThePodsOwnAccount) {
  const auto access = InClusterAccess(pod_);
  ASSERT_TRUE(access) << access.error().message;
  ClusterAccess expected;
  expected.server = "https://10.96.0.1:443";
  expected.tls.ca_certificates = authority_.pem();
  expected.token_file = folder_ / "token";
  expected.name_space = "jobs";
  EXPECT_TRUE(*access == expected);
  EXPECT_TRUE(CheckProduction(*access).has_value());
}

TEST_F(InClusterTest, AddressOfIpv6IsInBrackets) {
  pod_.host = "fd00::1";
  const auto access = InClusterAccess(pod_);
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://[fd00::1]:443");
}

TEST_F(InClusterTest, NamespaceMayBeMissingNothingElse) {
  std::filesystem::remove(folder_ / "namespace");
  const auto access = InClusterAccess(pod_);
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->name_space, "");
  Write("ca.crt", "");  // would be the system's CAs
  EXPECT_THAT(InClusterAccess(pod_).error().message, HasSubstr("ca.crt"));
  std::filesystem::remove(folder_ / "ca.crt");
  EXPECT_THAT(InClusterAccess(pod_).error().message, HasSubstr("ca.crt"));
  Write("ca.crt", authority_.pem());
  std::filesystem::remove(folder_ / "token");
  EXPECT_THAT(InClusterAccess(pod_).error().message, HasSubstr("token"));
}

TEST_F(InClusterTest, OutsideOfAPodThereIsNone) {
  for (const auto member : {&PodSurroundings::host, &PodSurroundings::port}) {
    PodSurroundings pod = pod_;
    pod.*member = "";
    EXPECT_EQ(InClusterAccess(pod).error().Reason(), "NOT_IN_CLUSTER");
  }
}

}  // namespace
}  // namespace tidewaiter::kubernetes
