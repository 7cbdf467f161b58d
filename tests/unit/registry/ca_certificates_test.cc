#include "broker/registry/ca_certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::registry {
namespace {

using ::testing::HasSubstr;

// openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Test
const std::string kCertificate = R"(-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUFOQc4wTykYiK8dSPfl2KDe4eV04wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEVGVzdDAgFw0yNjExMjIwOTI0MzhaGA8yMTI2MTAyOTA5MjQz
OFowDzENMAsGA1UEAwwEVGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFZg
igxkn5PCtZ+MXTvrmI+Cg72+E+8BP6NvIWwE02D/Dh4Xydx7WmR5JfsiI2VYl1LQ
xBDFNvsk3wtX3uLqP6+jUzBRMB0GA1UdDgQWBBRplYCkvMwfub4bvXXPcq3GzHTo
8TAfBgNVHSMEGDAWgBRplYCkvMwfub4bvXXPcq3GzHTo8TAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQC95hSlsQI/3NDHedkq7o45SyXeQ1S6PFNB
ynPL09zCLAIhANuoJg+3OOg59+11m/knYnHp0Xa+JKHXleDadbQ9Rn2d
-----END CERTIFICATE-----
)";

std::string ProblemOf(const std::string& pem) {
  const Result<std::size_t> count = CountCaCertificates(pem);
  if (count) return "none";
  EXPECT_EQ(count.error().Reason(), "CA_FILE");
  return count.error().message;
}

TEST(CaCertificates, EachIsCountedWhateverStandsBetweenThem) {
  const Result<std::size_t> count =
      CountCaCertificates("our CA\n" + kCertificate + "# the next one\n" + kCertificate);
  ASSERT_TRUE(count.has_value()) << count.error().message;
  EXPECT_EQ(*count, 2U);
}

TEST(CaCertificates, TextWithoutAnyIsRefused) {
  for (const char* text :
       {"", "hello\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}) {
    EXPECT_THAT(ProblemOf(text), HasSubstr("no certificate")) << text;
  }
}

TEST(CaCertificates, CertificateThatIsCutOffIsRefusedEvenBehindAWholeOne) {
  const std::string half = kCertificate.substr(0, kCertificate.size() / 2);
  EXPECT_THAT(ProblemOf(half), HasSubstr("cut off"));
  EXPECT_THAT(ProblemOf(kCertificate + half), HasSubstr("cut off"));
}

TEST(CaCertificates, DamagedCertificateIsRefused) {
  std::string damaged = kCertificate;
  damaged[damaged.find('\n') + 5] ^= 1;
  EXPECT_THAT(ProblemOf(damaged), HasSubstr("damaged"));
}

}  // namespace
}  // namespace tidewaiter::registry
