#include "broker/kubernetes/kubeconfig.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/base64.h"
#include "tests/support/test_certificates.h"

namespace tidewaiter::kubernetes {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using tidewaiter::testing::TestAuthority;

constexpr std::string_view kSecret = "c2VjcmV0LXRva2Vu";

// One cluster "c", user "u" and context "x" of them; what is in `cluster` and `user` besides the
// server, at four blanks.
std::string Config(const std::string& cluster, const std::string& user,
                   const std::string& server = "https://10.0.0.1:6443") {
  return "apiVersion: v1\nkind: Config\ncurrent-context: x\npreferences: {}\n"
         "clusters:\n- name: c\n  cluster:\n    server: " +
         server + "\n" + cluster + "users:\n- name: u\n  user:\n    extensions: []\n" + user +
         "contexts:\n- name: x\n  context: {cluster: c, user: u, namespace: jobs}\n";
}

class KubeconfigTest : public ::testing::Test {
 protected:
  Result<ClusterAccess> Parse(const std::string& yaml, const std::string& context = "") {
    return ParseKubeconfig(yaml, context,
                           [this](const std::string& path, FileKind kind) -> Result<std::string> {
                             read_[path] = kind;
                             const auto found = files_.find(path);
                             if (found == files_.end()) return Fail(ErrorCode::kNotFound, path);
                             return found->second;
                           });
  }
  // "REASON: message"; that no secret is in it is looked at everywhere.
  std::string ProblemOf(const std::string& yaml, const std::string& context = "") {
    const Result<ClusterAccess> access = Parse(yaml, context);
    if (access) return "none";
    EXPECT_THAT(access.error().message, Not(HasSubstr(std::string(kSecret))));
    return std::string(access.error().Reason()) + ": " + access.error().message;
  }

  std::string Data(const std::string& field, const std::string& pem) {
    return "    " + field + "-data: " + EncodeBase64(pem) + "\n";
  }

  const TestAuthority authority_;
  const TestAuthority::Issued client_ = authority_.IssueTo("broker");
  std::map<std::string, std::string> files_{
      {"ca.crt", authority_.pem()},
      {"client.crt", client_.certificate_pem()},
      {"client.key", client_.key_pem()},
      {"token", "from-a-file\n"},
  };
  std::map<std::string, FileKind> read_;
};

TEST_F(KubeconfigTest, TokenAndCaInTheFileItself) {
  const auto access = Parse(Config(Data("certificate-authority", authority_.pem()),
                                   "    token: " + std::string(kSecret) + "\n"));
  ASSERT_TRUE(access) << access.error().message;
  ClusterAccess expected;
  expected.server = "https://10.0.0.1:6443";
  expected.tls.ca_certificates = authority_.pem();
  expected.token = kSecret;
  expected.name_space = "jobs";
  EXPECT_TRUE(*access == expected);
  EXPECT_THAT(read_, IsEmpty());
  EXPECT_FALSE(access->plain_http());
}

TEST_F(KubeconfigTest, CertificatesAndKeyInFiles) {
  const auto access = Parse(Config("    certificate-authority: ca.crt\n",
                                   "    client-certificate: client.crt\n"
                                   "    client-key: client.key\n"));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->tls.ca_certificates, authority_.pem());
  EXPECT_EQ(access->tls.certificate, client_.certificate_pem());
  EXPECT_TRUE(access->tls.key == client_.key_pem());
  EXPECT_TRUE(access->tls.verify);
  const std::map<std::string, FileKind> kinds{{"ca.crt", FileKind::kPublic},
                                              {"client.crt", FileKind::kPublic},
                                              {"client.key", FileKind::kSecret}};
  EXPECT_EQ(read_, kinds);
}

TEST_F(KubeconfigTest, DataWinsOverFiles) {
  const auto access = Parse(Config(
      "    certificate-authority: elsewhere\n" + Data("certificate-authority", authority_.pem()),
      "    client-certificate: elsewhere\n    client-key: elsewhere\n" +
          Data("client-certificate", client_.certificate_pem()) +
          Data("client-key", client_.key_pem())));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->tls.ca_certificates, authority_.pem());
  EXPECT_TRUE(access->tls.key == client_.key_pem());
  EXPECT_THAT(read_, IsEmpty());
}

TEST_F(KubeconfigTest, DataMayBeBrokenIntoLines) {
  std::string encoded = EncodeBase64(authority_.pem());
  for (std::size_t at = 64; at < encoded.size(); at += 71) encoded.insert(at, "\n      ");
  const auto access =
      Parse(Config("    certificate-authority-data: |\n      " + encoded + "\n", ""));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->tls.ca_certificates, authority_.pem());
}

TEST_F(KubeconfigTest, TokenFileWinsOverTokenAndIsReadOnce) {
  const auto access =
      Parse(Config("", "    token: " + std::string(kSecret) + "\n    tokenFile: token\n"));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->token_file, "token");
  EXPECT_EQ(access->token, "");
  EXPECT_EQ(read_.at("token"), FileKind::kSecret);
}

TEST_F(KubeconfigTest, TokenFileThatIsNotThereIsAnErrorAtOnce) {
  EXPECT_THAT(ProblemOf(Config("", "    token: abc\n    tokenFile: elsewhere\n")),
              HasSubstr("elsewhere"));
  files_["empty"] = " \n";
  EXPECT_THAT(ProblemOf(Config("", "    tokenFile: empty\n")),
              AllOf(HasSubstr("user 'u'"), HasSubstr("empty")));
}

TEST_F(KubeconfigTest, TokenWithWhatNoHeaderMayHaveIsRefused) {
  for (const char* token : {R"("a\nb")", R"("a\r\nHost: evil")", "\"a b\"", "\"\\u00e9\""}) {
    EXPECT_THAT(ProblemOf(Config("", std::string("    token: ") + token + "\n")),
                HasSubstr("CLUSTER_TOKEN"))
        << token;
  }
}

TEST_F(KubeconfigTest, NameAndVerificationOfTheServer) {
  const auto access =
      Parse(Config("    tls-server-name: kubernetes\n    insecure-skip-tls-verify: true\n", ""));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->tls.server_name, "kubernetes");
  EXPECT_FALSE(access->tls.verify);
}

TEST_F(KubeconfigTest, BooleansAreTrueOrFalseAndNothingElse) {
  EXPECT_TRUE(Parse(Config("    insecure-skip-tls-verify: false\n", ""))->tls.verify);
  EXPECT_TRUE(Parse(Config("    insecure-skip-tls-verify:\n", ""))->tls.verify);
  for (const char* value : {"\"true\"", "yes", "1", "on", "[true]"}) {
    EXPECT_THAT(ProblemOf(Config(std::string("    insecure-skip-tls-verify: ") + value + "\n", "")),
                HasSubstr("insecure-skip-tls-verify: true or false"))
        << value;
  }
}

TEST_F(KubeconfigTest, CaThatWouldNotBeLookedAtIsRefused) {
  EXPECT_THAT(ProblemOf(Config("    insecure-skip-tls-verify: true\n"
                               "    certificate-authority: ca.crt\n",
                               "")),
              HasSubstr("not together"));
}

TEST_F(KubeconfigTest, ContextIsTheOneThatIsAskedForElseTheCurrentOne) {
  const std::string yaml = R"(
current-context: one
clusters:
- {name: a, cluster: {server: "https://a"}}
- {name: b, cluster: {server: "https://b/prefix/"}}
users:
- {name: u, user: {token: of-u}}
- {name: v, user: {exec: {command: aws}}}
contexts:
- {name: one, context: {cluster: a, user: v}}
- {name: two, context: {cluster: b, user: u}}
- {name: three, context: {cluster: a}}
)";
  const auto two = Parse(yaml, "two");
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(two->server, "https://b/prefix");
  EXPECT_EQ(two->token, "of-u");
  EXPECT_EQ(two->name_space, "");
  const auto three = Parse(yaml, "three");  // no user, as for `kubectl proxy`
  ASSERT_TRUE(three) << three.error().message;
  EXPECT_EQ(three->token, "");
  EXPECT_THAT(ProblemOf(yaml), HasSubstr("user 'v': exec"));
}

TEST_F(KubeconfigTest, WhatIsNotThereIsNamedWithWhatIs) {
  const std::string yaml = Config("", "");
  EXPECT_THAT(ProblemOf(yaml, "y"),
              AllOf(HasSubstr("KUBECONFIG_INVALID"), HasSubstr("context 'y'"), HasSubstr("'x'")));
  std::string other = yaml;
  other.replace(other.find("cluster: c"), 10, "cluster: d");
  EXPECT_THAT(ProblemOf(other), AllOf(HasSubstr("cluster 'd'"), HasSubstr("there are 'c'")));
  other = yaml;
  other.replace(other.find("user: u"), 7, "user: w");
  EXPECT_THAT(ProblemOf(other), AllOf(HasSubstr("user 'w'"), HasSubstr("there are 'u'")));
  other = yaml;
  other.erase(other.find("current-context"), 18);
  EXPECT_THAT(ProblemOf(other), HasSubstr("no current-context"));
}

TEST_F(KubeconfigTest, SameNameASecondTimeIsRefused) {
  std::string yaml = Config("", "");
  yaml.insert(yaml.find("users:"), "- name: c\n  cluster: {server: 'https://evil'}\n");
  EXPECT_THAT(ProblemOf(yaml), HasSubstr("'c' a second time"));
}

TEST_F(KubeconfigTest, WhatTheBrokerDoesNotDoIsRefusedAndSaysWhatToUse) {
  const std::map<std::string, std::string> of_user{
      {"exec: {command: aws}", "starts no programs"},
      {"auth-provider: {name: oidc}", "starts no programs"},
      {"username: admin", "use a token"},
      {"password: " + std::string(kSecret), "use a token"},
      {"as: root", "impersonation"},
      {"as-uid: '0'", "impersonation"},
      {"as-groups: ['system:masters']", "impersonation"},
      {"as-user-extra: {a: [b]}", "impersonation"},
  };
  for (const auto& [field, hint] : of_user) {
    EXPECT_THAT(ProblemOf(Config("", "    token: good\n    " + field + "\n")),
                AllOf(HasSubstr("KUBECONFIG_UNSUPPORTED"), HasSubstr("user 'u'"),
                      HasSubstr(field.substr(0, field.find(':'))), HasSubstr(hint)))
        << field;
  }
  EXPECT_THAT(ProblemOf(Config("    proxy-url: http://proxy\n", "")),
              AllOf(HasSubstr("KUBECONFIG_UNSUPPORTED"), HasSubstr("cluster 'c': proxy-url")));
}

TEST_F(KubeconfigTest, UnsupportedFieldWithoutAValueIsNone) {
  EXPECT_EQ(ProblemOf(Config("    proxy-url: ''\n", "    exec: null\n    as-groups: []\n")),
            "none");
}

TEST_F(KubeconfigTest, FieldThatNobodyKnowsIsNotPassedOver) {
  EXPECT_THAT(ProblemOf(Config("", "    tokenfile: token\n")),
              AllOf(HasSubstr("user 'u': 'tokenfile'"), HasSubstr("13:")));
  EXPECT_THAT(ProblemOf(Config("    tls-min-version: '1.3'\n", "")),
              HasSubstr("cluster 'c': 'tls-min-version'"));
  std::string yaml = Config("", "");
  yaml.replace(yaml.find("namespace"), 9, "name-space");
  EXPECT_THAT(ProblemOf(yaml), HasSubstr("context 'x': 'name-space'"));
}

TEST_F(KubeconfigTest, FaultsAreNamedByLineAndColumn) {
  EXPECT_THAT(ProblemOf("clusters: [\nfoo: }"), HasSubstr("read kubeconfig: 2:"));
  EXPECT_THAT(ProblemOf(Config("", "    token: [" + std::string(kSecret) + "]\n")),
              HasSubstr("13:12: user 'u': token: a text is expected"));
  EXPECT_THAT(ProblemOf(Config("", "    client-key-data: '*" + std::string(kSecret) + "'\n")),
              HasSubstr("13:22: user 'u': client-key-data: no base64"));
  EXPECT_THAT(ProblemOf("kind: Pod"), HasSubstr("'Config' is expected, not 'Pod'"));
  EXPECT_THAT(ProblemOf("[]"), HasSubstr("no map"));
  EXPECT_THAT(ProblemOf(""), HasSubstr("no map"));
  EXPECT_THAT(ProblemOf("current-context: x\ncontexts: 1"), HasSubstr("a list is expected"));
}

TEST_F(KubeconfigTest, KeyMustFitItsCertificate) {
  files_["client.key"] = authority_.IssueTo("broker").key_pem();
  const std::string certificate = "    client-certificate: client.crt\n";
  const std::string key = "    client-key: client.key\n";
  EXPECT_THAT(ProblemOf(Config("", certificate + key)), HasSubstr("does not fit"));
  files_["client.key"] = client_.key_pem("passphrase");
  EXPECT_THAT(ProblemOf(Config("", certificate + key)), HasSubstr("passphrase"));
  files_["client.key"] = std::string(kSecret);
  EXPECT_THAT(ProblemOf(Config("", certificate + key)), HasSubstr("no private key"));
  EXPECT_THAT(ProblemOf(Config("", certificate)), HasSubstr("without a client-key"));
  EXPECT_THAT(ProblemOf(Config("", key)), HasSubstr("without a client-certificate"));
  files_["client.crt"] = "nothing";
  EXPECT_THAT(ProblemOf(Config("", certificate + key)), HasSubstr("no certificate in PEM"));
}

// An empty file would be as if there were none, and the system's CAs be trusted.
TEST_F(KubeconfigTest, CaThatIsNoneIsRefused) {
  files_["ca.crt"] = "";
  EXPECT_THAT(ProblemOf(Config("    certificate-authority: ca.crt\n", "")), HasSubstr("empty"));
  files_["ca.crt"] = "hello";
  EXPECT_THAT(ProblemOf(Config("    certificate-authority: ca.crt\n", "")),
              HasSubstr("certificate-authority"));
}

TEST_F(KubeconfigTest, NamespaceIsANameInUrls) {
  std::string yaml = Config("", "");
  yaml.replace(yaml.find("jobs"), 4, "../../x");
  EXPECT_THAT(ProblemOf(yaml), HasSubstr("namespace"));
}

TEST_F(KubeconfigTest, AddressOfTheServer) {
  const std::map<std::string, std::string> good{
      {"https://host", "https://host"},
      {"https://host:6443/", "https://host:6443"},
      {"https://[fd00::1]:6443/k8s/clusters/c-1//", "https://[fd00::1]:6443/k8s/clusters/c-1"},
      {"http://127.0.0.1:8001", "http://127.0.0.1:8001"},
  };
  for (const auto& [text, server] : good) {
    const auto access = Parse(Config("", "", "'" + text + "'"));
    ASSERT_TRUE(access) << access.error().message;
    EXPECT_EQ(access->server, server);
  }
  for (const char* bad :
       {"host:6443", "ftp://host", "https://", "https://u:p@host", "https://host?x",
        "https://host#x", "https://host:0", "https://host:65536", "https://host:x", "https://a b",
        "https://host/../x", "https://host/.", "https://[::1", "https://::1", "https:///x",
        "HTTPS://host"}) {
    EXPECT_THAT(ProblemOf(Config("", "", std::string("'") + bad + "'")), HasSubstr("server: "))
        << bad;
  }
  EXPECT_THAT(ProblemOf(Config("", "", "https://u:" + std::string(kSecret) + "@host")),
              HasSubstr("server: "));
}

TEST(CheckProduction, TakesVerifiedTlsAlone) {
  ClusterAccess access;
  access.server = "https://host";
  EXPECT_TRUE(CheckProduction(access).has_value());
  access.tls.verify = false;
  EXPECT_EQ(CheckProduction(access).error().Reason(), "CLUSTER_INSECURE");
  access.tls.verify = true;
  access.server = "http://127.0.0.1:8001";
  EXPECT_EQ(CheckProduction(access).error().Reason(), "CLUSTER_INSECURE");
}

}  // namespace
}  // namespace tidewaiter::kubernetes
