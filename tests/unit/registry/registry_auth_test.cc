#include "broker/registry/registry_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "base/base64.h"

namespace tidewaiter::registry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::optional<Credentials> Lookup(std::string_view config, const std::string& registry) {
  const auto auth = RegistryAuth::Parse(config);
  EXPECT_TRUE(auth.has_value()) << (auth ? "" : auth.error().message);
  if (!auth) return std::nullopt;
  const auto found = auth->For(registry);
  EXPECT_TRUE(found.has_value()) << (found ? "" : found.error().message);
  return found ? *found : std::nullopt;
}

TEST(RegistryAuthTest, UserAndPasswordOfTheExactHost) {
  const auto found = Lookup(R"({"auths":{"ghcr.io":{"auth":"dXNlcjpwYTpzcw=="}}})", "ghcr.io");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->username, "user");
  EXPECT_EQ(found->password, "pa:ss");
}

TEST(RegistryAuthTest, AnotherHostWithTheSamePrefixGetsNothing) {
  constexpr std::string_view kConfig = R"({"auths":{"ghcr.io":{"auth":"dXNlcjpwYXNz"}}})";
  EXPECT_FALSE(Lookup(kConfig, "ghcr.io.example.org"));
  EXPECT_FALSE(Lookup(kConfig, "ghcr.io:443"));
  EXPECT_FALSE(Lookup(kConfig, "hcr.io"));
}

TEST(RegistryAuthTest, KeyWithAPathIsNoHost) {
  EXPECT_FALSE(Lookup(R"({"auths":{"ghcr.io/team":{"auth":"dXNlcjpwYXNz"}}})", "ghcr.io"));
}

TEST(RegistryAuthTest, DockerHubIsFoundUnderTheNameThatDockerWrites) {
  EXPECT_TRUE(Lookup(R"({"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"}}})", "docker.io"));
}

TEST(RegistryAuthTest, IdentityTokenStandsInForThePassword) {
  const auto found =
      Lookup(R"({"auths":{"r.example":{"auth":"dTpw","identitytoken":"t0"}}})", "r.example");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found, (Credentials{.username = {}, .password = {}, .identity_token = "t0"}));
}

TEST(RegistryAuthTest, CredentialHelperIsAClearError) {
  for (const char* config : {R"({"credHelpers":{"gcr.io":"gcloud"}})",
                             R"({"credsStore":"pass","auths":{"gcr.io":{}}})"}) {
    const auto auth = RegistryAuth::Parse(config);
    ASSERT_TRUE(auth.has_value());
    const auto found = auth->For("gcr.io");
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().Reason(), "AUTH_FILE");
    EXPECT_TRUE(auth->For("other.example").has_value());
  }
}

TEST(RegistryAuthTest, BrokenEntryIsNamedWithoutItsSecret) {
  const auto auth = RegistryAuth::Parse(R"({"auths":{"ghcr.io":{"auth":"c2VjcmV0"}}})");
  ASSERT_FALSE(auth.has_value());
  EXPECT_THAT(auth.error().message, HasSubstr("ghcr.io"));
  EXPECT_THAT(auth.error().message, Not(HasSubstr("c2VjcmV0")));
}

TEST(RegistryAuthTest, RefusesAFileThatIsNoJsonObject) {
  EXPECT_FALSE(RegistryAuth::Parse("[]").has_value());
  EXPECT_FALSE(RegistryAuth::Parse("{").has_value());
  EXPECT_FALSE(RegistryAuth::Parse(R"({"auths":[1]})").has_value());
}

TEST(RegistryAuthTest, FileThatOthersMayReadIsRefused) {
  const std::string path =
      ::testing::TempDir() + "registry_auth_test." + std::to_string(::getpid());
  std::ofstream(path) << "{}";
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_TRUE(RegistryAuth::Load(path).has_value());
  ASSERT_EQ(::chmod(path.c_str(), 0604), 0);
  EXPECT_FALSE(RegistryAuth::Load(path).has_value());
  std::remove(path.c_str());
}

TEST(RegistryAuthTest, HeaderIsBase64UrlOfTheRegistrysJson) {
  const auto header =
      RegistryAuthHeader({.username = "u", .password = "p", .identity_token = {}}, "docker.io");
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(
      *header,
      EncodeBase64Url(
          R"({"password":"p","serveraddress":"https://index.docker.io/v1/","username":"u"})"));
}

}  // namespace
}  // namespace tidewaiter::registry
