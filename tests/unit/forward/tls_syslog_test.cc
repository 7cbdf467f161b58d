#include "broker/forward/tls_syslog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/unit/forward/example_record.h"
#include "tests/unit/forward/tls_listener.h"

namespace tidewaiter::forward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::Eventually;
using ::testing::HasSubstr;

const SyslogOrigin kOrigin{.host_name = "h", .process_id = "1"};

Deadline Soon() {
  return Deadline::After(seconds(20));
}

class TlsSyslogTest : public ::testing::Test {
 protected:
  TlsSyslog To(const TlsListener& server, const std::string& host = "localhost") const {
    return {host, server.port(), TlsTrust::Create(authority_.pem()).value(), kOrigin};
  }
  // What a connection to such a server fails with.
  Error Refusal(testing::TestAuthority::Issued server, TlsListener::Options options = {}) const {
    TlsListener listener(std::move(server), options);
    TlsSyslog destination = To(listener);
    const auto connected = destination.Connect({}, Soon());
    EXPECT_FALSE(connected.has_value());
    return connected ? Error{} : connected.error();
  }

  const testing::TestAuthority authority_;
};

TEST_F(TlsSyslogTest, EachRecordComesWholeAfterItsLength) {
  TlsListener server(authority_.Issue("DNS:localhost"), {});
  const std::string longer = ExampleLine("run.finished", 1'000'000);
  const std::string line = ExampleLine();
  {
    TlsSyslog destination = To(server);
    const auto connected = destination.Connect({}, Soon());
    ASSERT_TRUE(connected.has_value()) << connected.error().message;
    ASSERT_TRUE(destination.Send(ExampleRecord(longer), Soon()).has_value());
    ASSERT_TRUE(destination.Send(ExampleRecord(line), Soon()).has_value());
    ASSERT_TRUE(destination.Confirm(Soon()).has_value());
    const auto got = server.Await(2);
    ASSERT_EQ(got.size(), 2U);
    EXPECT_TRUE(got[0] == SyslogMessage(kOrigin, ExampleRecord(longer)));
    EXPECT_EQ(got[1], SyslogMessage(kOrigin, ExampleRecord(line)));
  }
  EXPECT_TRUE(Eventually([&] { return server.closed_in_order(); }));
}

TEST_F(TlsSyslogTest, AnAddressIsAnAddressOfTheCertificate) {
  TlsListener server(authority_.Issue("IP:127.0.0.1"), {});
  const auto connected = To(server, "127.0.0.1").Connect({}, Soon());
  EXPECT_TRUE(connected.has_value()) << connected.error().message;
  TlsListener other(authority_.Issue("IP:127.0.0.2,DNS:127.0.0.1"), {});
  EXPECT_FALSE(To(other, "127.0.0.1").Connect({}, Soon()).has_value());
}

TEST_F(TlsSyslogTest, ACertificateOfAnUnknownAuthorityIsRefused) {
  const Error error = Refusal(testing::TestAuthority().Issue("DNS:localhost"));
  EXPECT_EQ(error.reason, "TLS_UNTRUSTED");
  EXPECT_THAT(error.message, HasSubstr("certificate: "));
}

TEST_F(TlsSyslogTest, ACertificateForAnotherNameIsRefusedThoughItsSubjectFits) {
  const Error error = Refusal(authority_.Issue("DNS:other.example"));
  EXPECT_EQ(error.reason, "TLS_UNTRUSTED");
  EXPECT_THAT(error.message, HasSubstr("ostname mismatch"));
  EXPECT_EQ(Refusal(authority_.Issue("email:a@b.example")).reason, "TLS_UNTRUSTED");
}

TEST_F(TlsSyslogTest, AnExpiredCertificateIsRefused) {
  EXPECT_THAT(Refusal(authority_.Issue("DNS:localhost", true)).message, HasSubstr("expired"));
}

TEST_F(TlsSyslogTest, TlsBefore12IsRefused) {
  const Error error = Refusal(authority_.Issue("DNS:localhost"), {.max_version = TLS1_1_VERSION});
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  TlsListener twelve(authority_.Issue("DNS:localhost"), {.max_version = TLS1_2_VERSION});
  EXPECT_TRUE(To(twelve).Connect({}, Soon()).has_value());
}

TEST_F(TlsSyslogTest, AServerThatSaysNothingIsGivenUpAtTheDeadlineOrTheStop) {
  TlsListener server(authority_.Issue("DNS:localhost"), {.silent = true});
  TlsSyslog destination = To(server);
  EXPECT_EQ(destination.Connect({}, Deadline::After(milliseconds(50))).error().code,
            ErrorCode::kDeadlineExceeded);
  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(Eventually([&] { return server.connections() > 0; }));
    stop.request_stop();
  });
  EXPECT_EQ(destination.Connect(stop.get_token(), Deadline::Never()).error().code,
            ErrorCode::kCancelled);
}

// Though its kernel has acknowledged every byte.
TEST_F(TlsSyslogTest, OnAConnectionThatTheServerHasClosedNothingIsConfirmed) {
  TlsListener server(authority_.Issue("DNS:localhost"), {.read_only = 1});
  TlsSyslog destination = To(server);
  ASSERT_TRUE(destination.Connect({}, Soon()).has_value());
  const std::string line = ExampleLine();
  ASSERT_TRUE(destination.Send(ExampleRecord(line), Soon()).has_value());
  ASSERT_TRUE(destination.Send(ExampleRecord(line), Soon()).has_value());
  ASSERT_TRUE(destination.Confirm(Soon()).has_value());
  server.HangUp();
  EXPECT_FALSE(destination.Confirm(Soon()).has_value());
  EXPECT_EQ(server.Await(1).size(), 1U);
}

TEST_F(TlsSyslogTest, ANameThatNobodyHasIsAFailure) {
  TlsSyslog destination("no-such-host.invalid", 1, TlsTrust::Create("").value(), kOrigin);
  const auto connected = destination.Connect({}, Soon());
  ASSERT_FALSE(connected.has_value());
  EXPECT_THAT(connected.error().message, HasSubstr("look up 'no-such-host.invalid'"));
}

TEST_F(TlsSyslogTest, WhatIsNoCertificateIsNoTrust) {
  EXPECT_FALSE(TlsTrust::Create("not PEM").has_value());
  EXPECT_FALSE(TlsTrust::Create(authority_.pem() + authority_.pem().substr(0, 100)).has_value());
  EXPECT_TRUE(TlsTrust::Create("").has_value());
}

}  // namespace
}  // namespace tidewaiter::forward
