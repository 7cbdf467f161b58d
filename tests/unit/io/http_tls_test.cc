// Requests to real servers by TLS: whom they trust and who they are.
#include "broker/io/http_tls.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <fstream>
#include <thread>

#include "tests/support/required.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tls_server.h"
#include "tests/unit/io/http_fixture.h"

namespace tidewaiter::io {
namespace {

using tidewaiter::testing::TestAuthority;
using tidewaiter::testing::TlsPeer;
using tidewaiter::testing::TlsServer;

// Answers with what it knows of its client: "CN|SNI|Host".
void Describe(TlsPeer& peer) {
  for (;;) {
    const std::string head = peer.ReadHead();
    if (head.empty()) return;
    const std::size_t host = head.find("Host: ") + 6;
    const std::string text = peer.client() + "|" + peer.asked_name() + "|" +
                             head.substr(host, head.find('\r', host) - host);
    if (!peer.Answer(200, text)) return;
  }
}

class HttpTlsTest : public HttpFixture {
 protected:
  static TlsIdentity As(const TestAuthority::Issued& client, const TestAuthority& authority) {
    TlsIdentity identity;
    identity.ca_certificates = authority.pem();
    identity.certificate = client.certificate_pem();
    identity.key = client.key_pem();
    return identity;
  }
  Result<HttpResponse> Ask(const TlsServer& server, const TlsIdentity* identity,
                           const std::string& host = "localhost") {
    HttpRequest request;
    request.url = "https://" + host + ":" + std::to_string(server.port()) + "/version";
    request.tls = identity;
    return Fetch(request);
  }
  static std::string Reason(const Result<HttpResponse>& answer) {
    return answer ? "answered " + answer->body : std::string(answer.error().Reason());
  }
  static std::string Port(const TlsServer& server) { return ":" + std::to_string(server.port()); }

  const TestAuthority authority_;
  const TestAuthority stranger_{"Another CA"};
  const TestAuthority::Issued own_ = authority_.Issue("DNS:localhost,DNS:kubernetes.default");
  TlsIdentity trusting_ = [this] {
    TlsIdentity identity;
    identity.ca_certificates = authority_.pem();
    return identity;
  }();
};

TEST_F(HttpTlsTest, ServerOfTheGivenCaIsTrusted) {
  TlsServer server(own_, authority_.pem(), &Describe);
  const auto answer = Ask(server, &trusting_);
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(answer->body, "|localhost|localhost" + Port(server));
}

TEST_F(HttpTlsTest, ServerOfAnotherCaIsRefused) {
  TlsServer server(own_, "", &Describe);
  trusting_.ca_certificates = stranger_.pem();
  EXPECT_EQ(Reason(Ask(server, &trusting_)), "TLS_UNTRUSTED");
}

// As the CAs of all clusters that kubeadm made.
TEST_F(HttpTlsTest, ServerOfAnotherCaOfTheSameNameIsRefusedForThat) {
  TlsServer server(own_, "", &Describe);
  trusting_.ca_certificates = TestAuthority().pem();
  EXPECT_EQ(Reason(Ask(server, &trusting_)), "TLS_UNTRUSTED");
}

// A folder in place of the system's CAs, for the thread that makes it and those that it starts.
bool StandInForSystemCas(const TestAuthority& authority, const std::string& folder) {
  std::ofstream(folder + "/" + authority.file_name()) << authority.pem();
  std::ofstream(folder + "/ca-certificates.crt") << authority.pem();
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount(folder.c_str(), "/etc/ssl/certs", nullptr, MS_BIND, nullptr) == 0;
}

TEST_F(HttpTlsTest, CasOfAnIdentityTakeThePlaceOfTheSystems) {
  TW_REQUIRE_ROOT();
  TlsServer server(own_, "", &Describe);
  const tidewaiter::testing::ScratchFolder folder;
  bool mounted = false;
  std::thread elsewhere([&] {
    mounted = StandInForSystemCas(authority_, folder.path());
    if (!mounted) return;
    const std::unique_ptr<EventLoop> loop = StartLoop();
    client_ = *HttpClient::Create(*loop);
    const TlsIdentity system;
    EXPECT_TRUE(Ask(server, &system)) << "the system's CAs are trusted where no other is given";
    trusting_.ca_certificates = stranger_.pem();
    EXPECT_EQ(Reason(Ask(server, &trusting_)), "TLS_UNTRUSTED");
    client_.reset();
  });
  elsewhere.join();
  if (!mounted) {
    TW_REFUSED_TO_ROOT("mounting is not allowed here");
  }
}

TEST_F(HttpTlsTest, ServerWithoutTheUrlsNameIsRefused) {
  TlsServer server(own_, "", &Describe);
  EXPECT_EQ(Reason(Ask(server, &trusting_, "127.0.0.1")), "TLS_UNTRUSTED");
}

TEST_F(HttpTlsTest, ServerIsKnownByTheNameThatIsAskedFor) {
  TlsServer server(own_, "", &Describe);
  trusting_.server_name = "kubernetes.default";
  const auto answer = Ask(server, &trusting_, "127.0.0.1");
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(answer->body, "|kubernetes.default|127.0.0.1" + Port(server));
}

TEST_F(HttpTlsTest, ServerWithoutTheNameThatIsAskedForIsRefused) {
  TlsServer server(own_, "", &Describe);
  trusting_.server_name = "elsewhere";
  EXPECT_EQ(Reason(Ask(server, &trusting_)), "TLS_UNTRUSTED");
}

TEST_F(HttpTlsTest, ConnectionUnderOneNameIsNotUsedUnderAnother) {
  TlsServer server(own_, "", &Describe);
  trusting_.server_name = "kubernetes.default";
  ASSERT_TRUE(Ask(server, &trusting_));
  trusting_.server_name = "elsewhere";
  EXPECT_EQ(Reason(Ask(server, &trusting_)), "TLS_UNTRUSTED");
}

TEST_F(HttpTlsTest, ServerNameThatIsNoneIsNotSent) {
  TlsServer server(own_, "", &Describe);
  for (const char* name : {"a/b", "a:80", "user@host", "a b", "[::1]", "*.example"}) {
    trusting_.server_name = name;
    EXPECT_EQ(Reason(Ask(server, &trusting_)), "INVALID_ARGUMENT") << name;
  }
}

TEST_F(HttpTlsTest, UnverifiedServerIsBelievedOnlyByThoseWhoAskForIt) {
  TlsServer server(own_, "", &Describe);
  TlsIdentity careless;
  careless.verify = false;
  const TlsIdentity careful;
  ASSERT_TRUE(Ask(server, &careless, "127.0.0.1"));
  EXPECT_EQ(Reason(Ask(server, &careful, "127.0.0.1")), "TLS_UNTRUSTED");
}

TEST_F(HttpTlsTest, ClientShowsItsCertificate) {
  TlsServer server(own_, authority_.pem(), &Describe);
  const TlsIdentity identity = As(authority_.IssueTo("broker"), authority_);
  const auto answer = Ask(server, &identity);
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(answer->body, "broker|localhost|localhost" + Port(server));
}

TEST_F(HttpTlsTest, ConnectionIsKeptForTheSameIdentityAndForNoOther) {
  TlsServer server(own_, authority_.pem(), &Describe);
  const TlsIdentity one = As(authority_.IssueTo("one"), authority_);
  const TlsIdentity other = As(authority_.IssueTo("other"), authority_);
  const TlsIdentity same = one;  // by its bytes, not its address
  const TlsIdentity& nobody = trusting_;
  for (const TlsIdentity* identity : {&one, &other, &same, &nobody}) {
    const auto answer = Ask(server, identity);
    ASSERT_TRUE(answer) << Text(answer);
    const std::string name = identity == &other ? "other" : identity == &nobody ? "" : "one";
    EXPECT_EQ(answer->body, name + "|localhost|localhost" + Port(server));
  }
  EXPECT_EQ(server.connections(), 3);
}

TEST_F(HttpTlsTest, ConnectionThatTrustedOneCaIsNotUsedByWhoTrustsAnother) {
  TlsServer server(own_, "", &Describe);
  ASSERT_TRUE(Ask(server, &trusting_));
  trusting_.ca_certificates = stranger_.pem();
  EXPECT_EQ(Reason(Ask(server, &trusting_)), "TLS_UNTRUSTED");
}

TEST_F(HttpTlsTest, KeyThatDoesNotFitItsCertificateIsRefused) {
  TlsServer server(own_, authority_.pem(), &Describe);
  TlsIdentity identity = As(authority_.IssueTo("broker"), authority_);
  identity.key = authority_.IssueTo("broker").key_pem();
  EXPECT_EQ(Reason(Ask(server, &identity)), "TLS_IDENTITY");
}

TEST_F(HttpTlsTest, KeyWithAPassphraseIsRefusedAndAsksNobody) {
  TlsServer server(own_, authority_.pem(), &Describe);
  const TestAuthority::Issued client = authority_.IssueTo("broker");
  TlsIdentity identity = As(client, authority_);
  identity.key = client.key_pem("secret");
  EXPECT_EQ(Reason(Ask(server, &identity)), "TLS_IDENTITY");
}

TEST_F(HttpTlsTest, CertificateWithoutItsKeyIsRefused) {
  TlsServer server(own_, authority_.pem(), &Describe);
  TlsIdentity identity = As(authority_.IssueTo("broker"), authority_);
  identity.key.clear();
  EXPECT_EQ(Reason(Ask(server, &identity)), "TLS_IDENTITY");
}

std::string Route(std::string_view url, std::string_view name) {
  const std::optional<NamedRoute> route = RouteByName(url, name);
  return route ? route->url + " " + route->connect_to + " " + route->host : "none";
}

TEST(RouteByName, KeepsPortPathAndHostHeader) {
  EXPECT_EQ(Route("https://10.0.0.1:6443/a/b?c", "api"),
            "https://api:6443/a/b?c ::10.0.0.1:6443 10.0.0.1:6443");
  EXPECT_EQ(Route("https://host", "api"), "https://api:443 ::host:443 host");
  EXPECT_EQ(Route("https://[::1]/x", "fd00::1"), "https://[fd00::1]:443/x ::[::1]:443 [::1]");
  EXPECT_EQ(Route("https://[::1]:8443?x", "api"), "https://api:8443?x ::[::1]:8443 [::1]:8443");
}

TEST(RouteByName, IsNoneForWhatIsNoHttps) {
  for (const char* url :
       {"http://host/", "https://", "https:///x", "https://:443/", "https://a@b/", "https:/host"}) {
    EXPECT_EQ(Route(url, "api"), "none") << url;
  }
}

}  // namespace
}  // namespace tidewaiter::io
