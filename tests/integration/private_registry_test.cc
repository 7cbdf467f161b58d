// The check of a tag, and the pull, at a registry that nobody here wrote, with
// TLS by a CA of its own and token authentication: what a caller is told when
// it works, and when it does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/unique_fd.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/lab.h"

namespace tidewaiter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string TextOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// A port of this machine at which nobody listens, for as long as the object
// lives.
class SilentPort {
 public:
  SilentPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(socket_.get(), generic, size), 0);
    EXPECT_EQ(::getsockname(socket_.get(), generic, &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  UniqueFd socket_;
  std::string address_;
};

class PrivateRegistryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TW_REQUIRE_LAB(lab);
    TW_REQUIRE_PRIVATE_REGISTRY(registry);
    lab_ = lab;
    registry_ = registry;
    for (const std::string& digest : {registry_.digest, registry_.index_digest}) Forget(digest);
  }
  void TearDown() override {
    if (registry_.address.empty()) return;  // skipped
    for (const std::string& digest : {registry_.digest, registry_.index_digest}) Forget(digest);
  }

  // "KEY = PATH" of a copy: the lab's own files lie below /var/tmp, which a
  // broker in production mode trusts nobody with.
  std::string Key(const std::string& key, const std::string& text) {
    const std::string path = folder_ / key;
    std::ofstream(path, std::ios::binary) << text;
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
    return key + " = \"" + path + "\"\n";
  }
  std::string TheCa() { return Key("ca_file", TextOf(registry_.ca_file)); }
  std::string TheLogin() { return Key("auth_file", TextOf(registry_.auth_file)); }

  // The end of a run of that image by a broker with these keys of [registry]; `images` are more of
  // the policy's table [images].
  Transcript Run(const std::string& image, const std::string& registry_settings,
                 const std::string& images = {}) {
    const std::string repository = image.substr(0, image.find('/')) + "/lab/*";
    broker_ = std::make_unique<BrokerProcess>(BrokerProcess::Options{
        .docker_socket = lab_.docker_socket,
        .policy = BrokerProcess::LabPolicy(
            "[images]\n" + images + "[[images.allow]]\nrepository = \"" + repository + "\"\n"),
        .registry_settings = registry_settings});
    client_ = std::make_unique<GateClient>(broker_->socket_path());
    v1::RunSpec spec;
    spec.set_image(image);
    for (const char* word : {"echo", "here"}) spec.add_command(word);
    return client_->Run(spec);
  }

  // What the caller of a run is told that failed before anything was pulled.
  std::string Refusal(const std::string& image, const std::string& registry_settings,
                      const std::string& reason = "REGISTRY_UNAVAILABLE") {
    const Transcript transcript = Run(image, registry_settings);
    EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::FAILED);
    EXPECT_EQ(transcript.Result().reason(), reason);
    EXPECT_EQ(transcript.Stdout(), "");
    EXPECT_FALSE(EngineHas(registry_.digest) || EngineHas(registry_.index_digest));
    return transcript.Result().message();
  }

  void ExpectRan(const Transcript& transcript, const std::string& digest) {
    ASSERT_TRUE(transcript.status.ok()) << transcript.status.error_message();
    EXPECT_EQ(transcript.Stdout(), "here\n") << transcript.Result().message();
    EXPECT_EQ(transcript.Started().resolved_digest(), digest);
    EXPECT_TRUE(transcript.Receipt().complete());
  }

  bool EngineHas(const std::string& digest) {
    return Engine("GET", registry_.address + "/lab/private@" + digest + "/json").status == 200;
  }

  Lab lab_;
  PrivateRegistry registry_;
  ScratchFolder folder_;
  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<GateClient> client_;

 private:
  io::HttpResponse Engine(const std::string& method, const std::string& image) const {
    const auto loop = io::EventLoop::Start();
    const auto http = io::HttpClient::Create(**loop);
    io::HttpRequest request;
    request.method = method;
    request.url = "http://engine/v1.41/images/" + image;
    request.unix_socket = lab_.docker_socket;
    const auto answer = (*http)->Fetch(request, {}, Deadline::After(std::chrono::seconds(30)));
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(io::HttpResponse{});
  }

  // By its id: whatever names lead to the image, the next run has to pull it.
  void Forget(const std::string& digest) {
    const std::string name = registry_.address + "/lab/private@" + digest;
    const io::HttpResponse inspect = Engine("GET", name + "/json");
    if (inspect.status == 404) return;
    const std::string id = nlohmann::json::parse(inspect.body, nullptr, false).value("Id", "");
    EXPECT_EQ(Engine("DELETE", id + "?force=true").status, 200);
  }
};

TEST_F(PrivateRegistryTest, ImageIsCheckedAndPulledWithTheSameCredentials) {
  ExpectRan(Run(registry_.Image("1.0.0", registry_.digest), TheCa() + TheLogin()),
            registry_.digest);
  EXPECT_TRUE(EngineHas(registry_.digest));
}

TEST_F(PrivateRegistryTest, IdentityTokenServesAsWellAsAPassword) {
  ExpectRan(Run(registry_.Image("1.0.0", registry_.digest),
                TheCa() + Key("auth_file", TextOf(registry_.identity_file))),
            registry_.digest);
}

TEST_F(PrivateRegistryTest, TagThatNamesAnotherDigestIsRefusedNamingBoth) {
  EXPECT_THAT(
      Refusal(registry_.Image("1.0.0", registry_.index_digest), TheCa() + TheLogin(),
              "TAG_MISMATCH"),
      AllOf(HasSubstr("names " + registry_.digest), HasSubstr("not " + registry_.index_digest)));
}

TEST_F(PrivateRegistryTest, TagThatIsNotThereIsRefused) {
  EXPECT_THAT(
      Refusal(registry_.Image("1.0.1", registry_.digest), TheCa() + TheLogin(), "TAG_MISMATCH"),
      HasSubstr("no such tag"));
}

TEST_F(PrivateRegistryTest, IndexRunsByItsOwnDigest) {
  ExpectRan(Run(registry_.Image("2.0.0", registry_.index_digest), TheCa() + TheLogin()),
            registry_.index_digest);
}

TEST_F(PrivateRegistryTest, TagOfAnIndexIsFollowedToTheManifestsItLists) {
  ExpectRan(Run(registry_.Image("2.0.0", registry_.digest), TheCa() + TheLogin()),
            registry_.digest);
}

TEST_F(PrivateRegistryTest, WithoutCredentialsTheCallerIsToldThatThereAreNone) {
  EXPECT_THAT(Refusal(registry_.Image("1.0.0", registry_.digest), TheCa()),
              AllOf(HasSubstr("registry '" + registry_.address + "'"),
                    HasSubstr("refuses access (401) without credentials"),
                    HasSubstr("[registry] auth_file has none for this registry")));
}

TEST_F(PrivateRegistryTest, CredentialsOfAnotherRegistryAreNotTried) {
  nlohmann::json login = nlohmann::json::parse(TextOf(registry_.auth_file));
  login["auths"] = {{"registry.example:5000", login["auths"][registry_.address]}};
  EXPECT_THAT(
      Refusal(registry_.Image("1.0.0", registry_.digest), TheCa() + Key("auth_file", login.dump())),
      HasSubstr("refuses access (401) without credentials"));
}

// A policy that trusts digests alone: the engine is the first to meet the registry.
TEST_F(PrivateRegistryTest, PullThatIsRefusedSaysWhetherThereWereCredentials) {
  const std::string image = registry_.Image("1.0.0", registry_.digest);
  const Transcript refused = Run(image, "", "verify_tag = false\n");
  EXPECT_EQ(refused.Result().reason(), "IMAGE_UNAVAILABLE");
  EXPECT_THAT(refused.Result().message(),
              AllOf(HasSubstr("unauthorized"),
                    HasSubstr("[registry] auth_file has none for this registry")));
  ExpectRan(Run(image, TheLogin(), "verify_tag = false\n"), registry_.digest);
}

TEST_F(PrivateRegistryTest, WrongPasswordIsRefusedAndStandsNowhere) {
  const nlohmann::json login = {
      {"auths", {{registry_.address, {{"username", "tester"}, {"password", "wr0ng-s3cret"}}}}}};
  const std::string base64 = "dGVzdGVyOndyMG5nLXMzY3JldA==";  // tester:wr0ng-s3cret
  const std::string message =
      Refusal(registry_.Image("1.0.0", registry_.digest), TheCa() + Key("auth_file", login.dump()));
  EXPECT_THAT(message, AllOf(HasSubstr("registry '" + registry_.address + "'"),
                             HasSubstr("refuses access (401) with the credentials"),
                             HasSubstr("[registry] auth_file")));
  const auto is_clean = AllOf(Not(HasSubstr("s3cret")), Not(HasSubstr(base64)));
  EXPECT_THAT(message, is_clean);
  const std::vector<std::string> records = client_->AuditLines();
  EXPECT_FALSE(records.empty());
  for (const std::string& record : records) EXPECT_THAT(record, is_clean);
  EXPECT_THAT(broker_->Log(), is_clean);
}

TEST_F(PrivateRegistryTest, WithoutTheCaTheRegistryIsNotBelieved) {
  EXPECT_THAT(Refusal(registry_.Image("1.0.0", registry_.digest), TheLogin()),
              AllOf(HasSubstr("registry '" + registry_.address + "'"),
                    HasSubstr("SSL certificate problem: unable to get local "
                              "issuer certificate"),
                    HasSubstr("[registry] ca_file")));
}

TEST_F(PrivateRegistryTest, RegistryThatIsDownIsNamedWithTheCause) {
  const SilentPort port;
  EXPECT_THAT(
      Refusal(port.address() + "/lab/private:1.0.0@" + registry_.digest, TheCa()),
      AllOf(HasSubstr("registry '" + port.address() + "'"), HasSubstr("Connection refused")));
}

class Asker {
 public:
  explicit Asker(const std::string& address) : url_("https://" + address + "/v2/") {}

  // What asking without a token gives: "status 401" where the registry's
  // certificate is believed.
  std::string Ask(const std::string& ca_certificates) {
    io::HttpRequest request;
    request.url = url_;
    request.ca_certificates = ca_certificates;
    const auto answer = (*http_)->Fetch(request, {}, Deadline::After(std::chrono::seconds(30)));
    return answer ? "status " + std::to_string(answer->status)
                  : std::string(answer.error().Reason());
  }

 private:
  const std::string url_;
  const Result<std::unique_ptr<io::EventLoop>> loop_ = io::EventLoop::Start();
  const Result<std::unique_ptr<io::HttpClient>> http_ = io::HttpClient::Create(**loop_);
};

TEST(RegistryTrust, CertificatesOfTheConfigurationCountForTheirOwnRequestsOnly) {
  TW_REQUIRE_PRIVATE_REGISTRY(registry);
  Asker asker(registry.address);
  EXPECT_EQ(asker.Ask(""), "TLS_UNTRUSTED");
  EXPECT_EQ(asker.Ask(TextOf(registry.ca_file)), "status 401");
  EXPECT_EQ(asker.Ask(""),
            "TLS_UNTRUSTED");  // the connection is kept, but not for this one
}

// By a trusted CA, but for 127.0.0.1 and "localhost"; libcurl finds every name below .localhost
// there.
TEST(RegistryTrust, CertificateForAnotherHostIsNotBelieved) {
  TW_REQUIRE_PRIVATE_REGISTRY(registry);
  const std::string port = registry.address.substr(registry.address.find(':'));
  const std::string trusted = TextOf(registry.ca_file);
  EXPECT_EQ(Asker("localhost" + port).Ask(trusted), "status 401");
  EXPECT_EQ(Asker("other.localhost" + port).Ask(trusted), "TLS_UNTRUSTED");
}

// The lab's CA as one of the system's: in a mount namespace of the test's own,
// where its folder is /etc/ssl/certs. The configuration names other CAs, those
// that were the system's before.
TEST(RegistryTrust, CertificatesOfTheConfigurationDoNotReplaceTheSystems) {
  TW_REQUIRE_PRIVATE_REGISTRY(registry);
  const std::string others = TextOf("/etc/ssl/certs/ca-certificates.crt");
  ASSERT_FALSE(others.empty());
  EXPECT_EQ(Asker(registry.address).Ask(others), "TLS_UNTRUSTED");
  const std::string folder = std::filesystem::path(registry.ca_file).parent_path();
  std::thread([&] {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount(folder.c_str(), "/etc/ssl/certs", nullptr, MS_BIND, nullptr), 0);
    EXPECT_EQ(Asker(registry.address).Ask(others), "status 401");
  }).join();
}

// Better now than at the first run.
TEST(RegistryTrust, BrokerDoesNotStartWithACaFileThatHoldsNoCertificate) {
  const ScratchFolder folder;
  const std::string path = folder / "ca.pem";
  std::ofstream(path) << "no certificate\n";
  EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
  BrokerProcess broker({.docker_socket = folder / "engine.sock",
                        .policy = BrokerProcess::StandInPolicy(),
                        .registry_settings = "ca_file = \"" + path + "\"\n",
                        .expect_start = false});
  EXPECT_TRUE(Eventually(std::chrono::seconds(20), [&] { return !broker.Running(); }));
  EXPECT_THAT(broker.Log(), AllOf(HasSubstr("[registry] ca_file '" + path + "'"),
                                  HasSubstr("there is no certificate in PEM")));
}

}  // namespace
}  // namespace tidewaiter::testing
