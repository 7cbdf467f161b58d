#include "broker/daemon/health_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/http_probe.h"

namespace tidewaiter::daemon {
namespace {

using testing::BodyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::StatusOf;

std::string Get(const std::string& target, const HealthReport& report = {}) {
  return AnswerProbe("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n", report);
}

// The status of the whole and of each check, as NAME=STATUS.
std::string Summary(const std::string& answer) {
  const auto body = nlohmann::json::parse(BodyOf(answer), nullptr, false);
  if (body.is_discarded()) return "no JSON: " + BodyOf(answer);
  std::string summary = body.value("status", "?");
  for (const auto& check : body["checks"]) {
    summary += " " + check.value("name", "?") + "=" + check.value("status", "?");
  }
  return summary;
}

TEST(HealthAnswer, WhatIsWellIs200AndSaysSo) {
  EXPECT_EQ(StatusOf(Get("/healthz")), 200);
  EXPECT_EQ(Summary(Get("/healthz")), "ok loop=ok");
  EXPECT_EQ(StatusOf(Get("/readyz")), 200);
  EXPECT_EQ(Summary(Get("/readyz")), "ok shutdown=ok audit=ok engine=ok reaper=ok");
}

TEST(HealthAnswer, ALoopThatHangsIsNotAlive) {
  const HealthReport report{.loop_turns = false};
  EXPECT_EQ(StatusOf(Get("/healthz", report)), 503);
  EXPECT_EQ(Summary(Get("/healthz", report)), "failed loop=failed");
}

TEST(HealthAnswer, ABrokerThatStopsIsAliveAndNotReady) {
  const HealthReport report{.stopping = true};
  EXPECT_EQ(StatusOf(Get("/healthz", report)), 200);
  EXPECT_EQ(StatusOf(Get("/readyz", report)), 503);
  EXPECT_EQ(Summary(Get("/readyz", report)), "failed shutdown=failed audit=ok engine=ok reaper=ok");
}

TEST(HealthAnswer, WithoutItsLogItIsNotReady) {
  const HealthReport report{.audit_works = false};
  EXPECT_EQ(StatusOf(Get("/readyz", report)), 503);
  EXPECT_EQ(Summary(Get("/readyz", report)), "failed shutdown=ok audit=failed engine=ok reaper=ok");
}

TEST(HealthAnswer, AnEngineThatDoesNotAnswerDegradesIt) {
  const HealthReport report{.engine_answers = false};
  EXPECT_EQ(StatusOf(Get("/readyz", report)), 200);
  EXPECT_EQ(Summary(Get("/readyz", report)),
            "degraded shutdown=ok audit=ok engine=degraded reaper=ok");
}

TEST(HealthAnswer, RemovalsThatAreOverdueDegradeItAndAreCounted) {
  const HealthReport report{.overdue = 3};
  EXPECT_EQ(StatusOf(Get("/readyz", report)), 200);
  EXPECT_EQ(Summary(Get("/readyz", report)),
            "degraded shutdown=ok audit=ok engine=ok reaper=degraded");
  EXPECT_THAT(Get("/readyz", report), HasSubstr("3 removal(s) overdue"));
}

TEST(HealthAnswer, AComparisonThatFailsDegradesIt) {
  const HealthReport report{.compares = false};
  EXPECT_EQ(StatusOf(Get("/readyz", report)), 200);
  EXPECT_EQ(Summary(Get("/readyz", report)),
            "degraded shutdown=ok audit=ok engine=ok reaper=degraded");
  EXPECT_THAT(Get("/readyz", report),
              HasSubstr("0 removal(s) overdue, the comparison with the engine fails"));
}

TEST(HealthAnswer, WhatFailsIsWorseThanWhatIsDegraded) {
  EXPECT_EQ(StatusOf(Get("/readyz", {.audit_works = false, .overdue = 1})), 503);
}

TEST(HealthAnswer, VerboseIsALineForEachCheck) {
  const HealthReport report{.audit_works = false, .overdue = 1};
  for (const char* target : {"/readyz?verbose", "/readyz?a=b&verbose=1", "/readyz?verbose=&x"}) {
    const std::string answer = Get(target, report);
    EXPECT_EQ(BodyOf(answer),
              "[+]shutdown ok\n[-]audit failed: records cannot be written\n[+]engine ok\n"
              "[+]reaper degraded: 1 removal(s) overdue\nreadyz check failed\n");
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
  }
  EXPECT_EQ(BodyOf(Get("/healthz?verbose")), "[+]loop ok\nhealthz check passed\n");
}

TEST(HealthAnswer, OtherQueriesChangeNothing) {
  for (const char* target : {"/readyz?", "/readyz?&&", "/readyz?verbosely", "/readyz?x=verbose"}) {
    EXPECT_EQ(Get(target), Get("/readyz")) << target;
  }
}

TEST(HealthAnswer, IsJsonThatNobodyKeeps) {
  const std::string answer = Get("/readyz");
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: application/json; charset=utf-8\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nCache-Control: no-store\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(answer,
              HasSubstr("\r\nContent-Length: " + std::to_string(BodyOf(answer).size()) + "\r\n"));
}

TEST(HealthAnswer, HeadIsGetWithoutItsBody) {
  const std::string get = Get("/readyz");
  const std::string head = AnswerProbe("HEAD /readyz HTTP/1.1\r\nHost: x\r\n\r\n", {});
  EXPECT_EQ(head + BodyOf(get), get);
}

TEST(HealthAnswer, OtherMethodsAreToldWhichThereAre) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get", "CONNECT"}) {
    const std::string answer =
        AnswerProbe(std::string(method) + " /readyz HTTP/1.1\r\nHost: x\r\n\r\n", {});
    EXPECT_EQ(StatusOf(answer), 405) << method;
    EXPECT_THAT(answer, HasSubstr("\r\nAllow: GET, HEAD\r\n")) << method;
  }
}

TEST(HealthAnswer, OtherPathsAreNotFoundAndNotRepeated) {
  for (const char* path : {"/", "/readyz/", "/READYZ", "//readyz", "/%72eadyz", "/metrics"}) {
    EXPECT_EQ(StatusOf(Get(path)), 404) << path;
    EXPECT_THAT(Get(path), Not(HasSubstr(std::string(path) + "\""))) << path;
  }
}

TEST(HealthAnswer, Http10NeedsNoHostAndHttp11ExactlyOne) {
  EXPECT_EQ(StatusOf(AnswerProbe("GET /readyz HTTP/1.0\r\n\r\n", {})), 200);
  EXPECT_EQ(StatusOf(AnswerProbe("GET /readyz HTTP/1.1\r\n\r\n", {})), 400);
  EXPECT_EQ(StatusOf(AnswerProbe("GET /readyz HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", {})), 400);
}

TEST(HealthAnswer, WhatIsNoRequestIsRefused) {
  EXPECT_EQ(StatusOf(AnswerProbe("\r\n\r\n", {})), 400);
  EXPECT_EQ(StatusOf(AnswerProbe("PRI * HTTP/2.0\r\n\r\n", {})), 400);
  EXPECT_EQ(StatusOf(AnswerHeadTooLong()), 431);
}

}  // namespace
}  // namespace tidewaiter::daemon
