#include "broker/registry/tag_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/fake_http.h"

namespace tidewaiter::registry {
namespace {

using testing::Answer;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::FakeHttp;
using ::testing::HasSubstr;
using testing::HeaderOf;
using ::testing::SizeIs;
using ::testing::StartsWith;

const std::string kDigest = "sha256:" + std::string(64, 'd');
const std::string kOther = "sha256:" + std::string(64, 'e');
const run::Patience kPatience{.stop = {}, .deadline = Deadline::Never()};

policy::ImageReference Image(std::string registry = "ghcr.io") {
  return {
      .registry = std::move(registry), .repository = "team/job", .tag = "1.2.3", .digest = kDigest};
}

io::HttpResponse Tagged(const std::string& digest, std::string body = "") {
  return Answer(200, std::move(body), {{"docker-content-digest", digest}});
}

std::string Refusal(FakeHttp& http, const RegistrySettings& settings = {}) {
  TagCheck check(http, settings);
  const Result<void> result = check.Confirm(Image(), kPatience);
  return result ? "confirmed" : std::string(result.error().Reason());
}

TEST(TagCheckTest, TagThatNamesTheDigestIsConfirmedByOneRequestOverTls) {
  FakeHttp http([](const auto&) { return Tagged(kDigest); });
  EXPECT_EQ(Refusal(http), "confirmed");
  EXPECT_THAT(http.Asked(), ElementsAre("HEAD https://ghcr.io/v2/team/job/manifests/1.2.3"));
}

TEST(TagCheckTest, TagThatNamesAnotherDigestIsAMismatchThatNamesBoth) {
  FakeHttp http([](const auto&) { return Tagged(kOther, "{}"); });
  const RegistrySettings settings;
  TagCheck check(http, settings);
  const Result<void> result = check.Confirm(Image(), kPatience);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().Reason(), "TAG_MISMATCH");
  EXPECT_THAT(result.error().message, HasSubstr(kDigest));
  EXPECT_THAT(result.error().message, HasSubstr(DigestOfBytes("sha256", "{}")));
}

TEST(TagCheckTest, IndexThatListsTheDigestConfirmsIt) {
  FakeHttp http([](const auto& request) {
    return Tagged(kOther, request.method == "GET"
                              ? R"({"manifests":[{"digest":")" + kDigest + R"("}]})"
                              : "");
  });
  EXPECT_EQ(Refusal(http), "confirmed");
}

TEST(TagCheckTest, RegistryWithoutTheHeaderIsJudgedByTheManifestsBytes) {
  policy::ImageReference image = Image();
  image.digest = DigestOfBytes("sha256", "manifest");
  FakeHttp http(
      [](const auto& request) { return Answer(200, request.method == "GET" ? "manifest" : ""); });
  const RegistrySettings settings;
  TagCheck check(http, settings);
  EXPECT_TRUE(check.Confirm(image, kPatience).has_value());
}

TEST(TagCheckTest, MissingTagIsAMismatch) {
  FakeHttp http([](const auto&) { return Answer(404); });
  EXPECT_EQ(Refusal(http), "TAG_MISMATCH");
}

TEST(TagCheckTest, RegistryThatCannotBeAskedRefuses) {
  FakeHttp down([](const auto&) -> Result<io::HttpResponse> {
    return Fail(ErrorCode::kUnavailable, "connect: refused", "CONNECT_FAILED");
  });
  EXPECT_EQ(Refusal(down), "REGISTRY_UNAVAILABLE");
  for (const long status : {301L, 403L, 429L, 500L}) {
    FakeHttp http([status](const auto&) { return Answer(status); });
    EXPECT_EQ(Refusal(http), "REGISTRY_UNAVAILABLE") << status;
  }
}

TEST(TagCheckTest, UntrustedCertificateSaysWhatIsTrusted) {
  FakeHttp http([](const auto&) -> Result<io::HttpResponse> {
    return Fail(ErrorCode::kUnavailable, "SSL certificate problem", "TLS_UNTRUSTED");
  });
  RegistrySettings settings;
  TagCheck check(http, settings);
  EXPECT_THAT(check.Confirm(Image(), kPatience).error().message,
              HasSubstr("only the system's CAs are trusted, as no [registry] ca_file"));
  settings.ca_certificates = "our CA";
  EXPECT_THAT(check.Confirm(Image(), kPatience).error().message,
              HasSubstr("the system's CAs and those of [registry] ca_file are trusted"));
}

TEST(TagCheckTest, ConfirmationIsRememberedAndRefusalIsNot) {
  bool right = false;
  FakeHttp http([&right](const auto&) { return Tagged(right ? kDigest : kOther, "{}"); });
  const RegistrySettings settings;
  TagCheck check(http, settings);
  EXPECT_FALSE(check.Confirm(Image(), kPatience).has_value());
  right = true;
  EXPECT_TRUE(check.Confirm(Image(), kPatience).has_value());
  const std::size_t asked = http.Asked().size();
  right = false;
  EXPECT_TRUE(check.Confirm(Image(), kPatience).has_value());
  EXPECT_THAT(http.Asked(), SizeIs(asked));
}

TEST(TagCheckTest, MemoryOfConfirmationsIsBounded) {
  FakeHttp http([](const auto&) { return Tagged(kDigest); });
  RegistrySettings settings;
  settings.tag_memory_entries = 1;
  TagCheck check(http, settings);
  policy::ImageReference second = Image();
  second.tag = "2.0.0";
  EXPECT_TRUE(check.Confirm(Image(), kPatience).has_value());
  EXPECT_TRUE(check.Confirm(second, kPatience).has_value());
  EXPECT_TRUE(check.Confirm(Image(), kPatience).has_value());
  EXPECT_THAT(http.Asked(), SizeIs(3));
}

TEST(TagCheckTest, PlainHttpOnlyForAListedLoopbackRegistry) {
  FakeHttp http([](const auto&) { return Tagged(kDigest); });
  RegistrySettings settings;
  settings.plain_http = {"127.0.0.1:5000", "registry.example:5000"};
  TagCheck check(http, settings);
  for (const char* registry : {"127.0.0.1:5000", "127.0.0.1:5001", "registry.example:5000"}) {
    EXPECT_TRUE(check.Confirm(Image(registry), kPatience).has_value());
  }
  EXPECT_THAT(http.Asked(), ElementsAre(StartsWith("HEAD http://127.0.0.1:5000/"),
                                        StartsWith("HEAD https://127.0.0.1:5001/"),
                                        StartsWith("HEAD https://registry.example:5000/")));
}

TEST(TagCheckTest, LoopbackIsJudgedBySpellingAlone) {
  for (const char* yes :
       {"localhost", "localhost:5000", "127.0.0.1", "127.1.2.3:80", "[::1]:5000"}) {
    EXPECT_TRUE(IsLoopback(yes)) << yes;
  }
  for (const char* no :
       {"127.0.0.1.example.org", "localhost.example.org", "10.0.0.1", "[::2]", ""}) {
    EXPECT_FALSE(IsLoopback(no)) << no;
  }
}

// A registry that wants a token from the realm, and a file with credentials for `registry`.
class TokenFlowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Of this process alone: ctest runs each test in one of its own, several at a time.
    path_ = ::testing::TempDir() + "tag_check_auth." + std::to_string(::getpid());
    std::ofstream(path_) << R"({"auths":{"ghcr.io":{"auth":"dXNlcjpwYXNz"}}})";
    ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
    settings_.auth_file = path_;
  }
  void TearDown() override { std::remove(path_.c_str()); }

  Result<void> Confirm(const std::string& challenge, const std::string& registry = "ghcr.io") {
    http_ = std::make_unique<FakeHttp>([challenge](const io::HttpRequest& request) {
      if (request.url.find("/v2/") == std::string::npos) return Answer(200, R"({"token":"t.0"})");
      if (HeaderOf(request, "Authorization").empty()) {
        return Answer(401, "", {{"www-authenticate", challenge}});
      }
      return Tagged(kDigest);
    });
    TagCheck check(*http_, settings_);
    return check.Confirm(Image(registry), kPatience);
  }

  std::string path_;
  RegistrySettings settings_;
  std::unique_ptr<FakeHttp> http_;
};

TEST_F(TokenFlowTest, TokenIsFetchedWithTheRegistrysCredentialsAndUsed) {
  ASSERT_TRUE(
      Confirm(R"(Bearer realm="https://auth.example/token",service="s",scope="evil")").has_value());
  const auto requests = http_->requests();
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_EQ(requests[1].url,
            "https://auth.example/token?service=s&scope=repository%3Ateam%2Fjob%3Apull");
  EXPECT_EQ(HeaderOf(requests[1], "Authorization"), "Basic dXNlcjpwYXNz");
  EXPECT_EQ(HeaderOf(requests[2], "Authorization"), "Bearer t.0");
}

TEST_F(TokenFlowTest, CertificatesOfTheConfigurationAreTrustedByEveryRequest) {
  settings_.ca_certificates = "our CA";
  ASSERT_TRUE(Confirm(R"(Bearer realm="https://auth.example/token")").has_value());
  ASSERT_THAT(http_->requests(), SizeIs(3));
  for (const auto& request : http_->requests()) EXPECT_EQ(request.ca_certificates, "our CA");
}

// 401 from the token service, as from one that gives nothing to anonymous callers.
TEST_F(TokenFlowTest, RefusedTokenSaysWhoRefusedItAndWhetherThereWereCredentials) {
  FakeHttp http([](const io::HttpRequest& request) {
    if (request.url.find("/v2/") == std::string::npos) return Answer(401);
    return Answer(401, "", {{"www-authenticate", R"(Bearer realm="https://auth.example/token")"}});
  });
  TagCheck check(http, settings_);
  const auto with = check.Confirm(Image(), kPatience);
  ASSERT_FALSE(with.has_value());
  EXPECT_THAT(with.error().message, HasSubstr("'https://auth.example/token' refuses access (401)"));
  EXPECT_THAT(with.error().message, HasSubstr("with the credentials that [registry] auth_file"));
  const auto without = check.Confirm(Image("other.example"), kPatience);
  ASSERT_FALSE(without.has_value());
  EXPECT_THAT(without.error().message, HasSubstr("registry 'other.example'"));
  EXPECT_THAT(without.error().message, HasSubstr("auth_file has none for this registry"));
}

// As ghcr.io does: a token for everyone, and a refusal for those whom it does not name.
TEST_F(TokenFlowTest, RefusedManifestSaysWhetherThereWereCredentials) {
  FakeHttp http([](const io::HttpRequest& request) {
    if (request.url.find("/v2/") == std::string::npos) return Answer(200, R"({"token":"t"})");
    return HeaderOf(request, "Authorization").empty()
               ? Answer(401, "", {{"www-authenticate", R"(Bearer realm="https://auth.example/t")"}})
               : Answer(403);
  });
  TagCheck check(http, settings_);
  EXPECT_THAT(check.Confirm(Image(), kPatience).error().message,
              HasSubstr("refuses access (403) with the credentials"));
  EXPECT_THAT(check.Confirm(Image("other.example"), kPatience).error().message,
              HasSubstr("refuses access (403) without credentials"));
}

TEST_F(TokenFlowTest, UnreadableCredentialsSayForWhichRegistryTheyWereWanted) {
  settings_.auth_file = path_ + ".missing";
  const auto result = Confirm(R"(Bearer realm="https://auth.example/token")");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().Reason(), "AUTH_FILE");
  EXPECT_THAT(result.error().message, StartsWith("ask registry 'ghcr.io' about 'team/job'"));
}

TEST_F(TokenFlowTest, CredentialsOfOneRegistryNeverGoToAnother) {
  ASSERT_TRUE(Confirm(R"(Bearer realm="https://auth.example/token")", "evil.example").has_value());
  for (const auto& request : http_->requests()) {
    EXPECT_NE(HeaderOf(request, "Authorization"), "Basic dXNlcjpwYXNz");
  }
}

TEST_F(TokenFlowTest, RealmWithoutTlsIsRefusedBeforeAnythingIsSent) {
  for (const char* realm : {"http://auth.example/token", "file:///etc/passwd",
                            "https://user@auth.example/", "https://", "http://127.0.0.1:99/t"}) {
    const auto result = Confirm(std::string("Bearer realm=\"") + realm + "\"");
    ASSERT_FALSE(result.has_value()) << realm;
    EXPECT_EQ(result.error().Reason(), "REGISTRY_UNAVAILABLE");
    EXPECT_THAT(http_->Asked(), SizeIs(1)) << realm;
  }
}

TEST_F(TokenFlowTest, BasicChallengeIsAnsweredWithThePassword) {
  ASSERT_TRUE(Confirm("Basic realm=\"x\"").has_value());
  EXPECT_EQ(HeaderOf(http_->requests().back(), "Authorization"), "Basic dXNlcjpwYXNz");
}

TEST_F(TokenFlowTest, BasicChallengeWithoutCredentialsRefuses) {
  const auto result = Confirm("Basic realm=\"x\"", "other.example");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().Reason(), "REGISTRY_UNAVAILABLE");
}

}  // namespace
}  // namespace tidewaiter::registry
